#pragma once

#include <string>

#include "kappa/kappa.hpp"
#include "orders.kappa.hpp"

/// The state of a customer: the schema's fields, and what can be done with them.
struct spending : spending_fields {
  void add(const order& o) {
    ++orders;
    cents += o.cents;
  }
};

/// The pipeline, whatever the orders come from: a file, a topic, a test.
void add_up(const kappa::stream<order>& orders);

/// The program: the orders of a CSV file.
kappa::app spending_app(const std::string& file);
