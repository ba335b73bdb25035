// Everything that a program needs.
#pragma once

#include "kappa/actors/aggregate_client.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/actors/run.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/log/open_log.hpp"
#include "kappa/source/csv_source.hpp"
#include "kappa/stream/app.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/stream/window.hpp"
