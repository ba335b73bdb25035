#include "log/damage_support.hpp"

#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "lmdb/file_snapshot.hpp"
#include "lmdb/lmdb.hpp"
#include "log/embedded_layout.hpp"

namespace log_contract {

namespace {

std::string text_of(const record_view& r) {
  auto out = fmt::format("{} k={} v={}", r.time.time_since_epoch().count(),
                         r.key ? printable(*r.key) : "-", r.value ? bytes{*r.value} : "-");
  for (const auto h : r.headers) out += fmt::format(" {}={}", h.name, h.value);
  return out;
}

std::map<bytes, bytes> table_of(lmdb::environment& env, const char* name) {
  std::map<bytes, bytes> out;
  const auto db = must(env.find_dbi(name));
  BOOST_REQUIRE(db.has_value());
  const auto txn = must(env.begin_read());
  auto c = must(lmdb::cursor::open(txn, *db));
  for (auto more = must(c.first()); more; more = must(c.next())) out.emplace(c.key(), c.value());
  return out;
}

template <class Map, class Name>
std::string first_difference(std::string_view what, const Map& a, const Map& b, Name name) {
  for (const auto& [k, v] : a) {
    const auto there = b.find(k);
    if (there == b.end()) return fmt::format("{} {} is missing", what, name(k));
    if (!(there->second == v)) return fmt::format("{} {} differs", what, name(k));
  }
  for (const auto& [k, v] : b) {
    if (!a.contains(k)) return fmt::format("{} {} was not there", what, name(k));
  }
  return {};
}

std::shared_ptr<record_batch> numbered(int from, int count, std::size_t value_bytes) {
  auto b = std::make_shared<record_batch>();
  for (int i = from; i < from + count; ++i) {
    auto value = fmt::format("value {} ", i);
    while (value.size() < value_bytes) value += static_cast<char>('a' + (i + value.size()) % 26);
    b->add(at(1000 + i), fmt::format("key {}", i % 17), value, {{"n", std::to_string(i)}});
  }
  return b;
}

}  // namespace

log_content read_content(const std::filesystem::path& folder) {
  embedded_log_options options;
  options.folder = folder;
  const auto log = must(open_embedded_log(options));
  log_content out;
  out.id = log->id();
  for (auto& config : must(log->topics())) {
    for (std::int32_t n = 0; n < config.partitions; ++n) {
      const auto where = tp(config.name, n);
      const auto bounds = must(log->bounds(where));
      out.bounds.emplace(where, bounds);
      auto& records = out.records[where];
      const auto reader = must(log->open_reader(where));
      for (auto next = bounds.earliest; next < bounds.latest;) {
        const auto batch = must(reader->read(next, 64 << 10));
        for (const auto& r : batch.records()) records.emplace(r.offset.value, text_of(r));
        BOOST_REQUIRE(batch.next() > next);
        next = batch.next();
      }
    }
    out.topics.emplace(config.name, std::move(config));
  }
  for (const auto& app : rich_apps) {
    for (auto& m : must(log->positions(app))) out.positions.emplace(m.key, m.value);
  }
  lmdb::environment_options env_options;
  env_options.folder = folder;
  const auto env = must(lmdb::environment::open(env_options));
  out.producers = table_of(*env, detail::table::producers);
  out.writers = table_of(*env, detail::table::apps);
  return out;
}

std::string difference(const log_content& a, const log_content& b) {
  if (a.id != b.id) return "the ids differ";
  const auto as_it_is = [](const std::string& s) { return printable(s); };
  auto text = first_difference("topic", a.topics, b.topics, as_it_is);
  if (!text.empty()) return text;
  for (const auto& [where, bounds] : a.bounds) {
    const auto& other = b.bounds.at(where);
    if (bounds.earliest != other.earliest || bounds.latest != other.latest) {
      return fmt::format("the bounds of {} differ", where.text());
    }
  }
  for (const auto& [where, records] : a.records) {
    text = first_difference(where.text(), records, b.records.at(where),
                            [](std::int64_t n) { return std::to_string(n); });
    if (!text.empty()) return text;
  }
  text = first_difference("position", a.positions, b.positions,
                          [](const position_key& k) { return k.text(); });
  if (text.empty()) text = first_difference("producer", a.producers, b.producers, as_it_is);
  if (text.empty()) text = first_difference("writer", a.writers, b.writers, as_it_is);
  return text;
}

void make_rich_log(const std::filesystem::path& folder) {
  embedded_log_options options;
  options.folder = folder;
  options.frame_bytes = 12 << 10;
  const auto log = must(open_embedded_log(options));
  const auto topic = [&](const std::string& name, std::int32_t partitions, const char* owner) {
    topic_config c;
    c.name = name;
    c.partitions = partitions;
    c.owner = owner;
    return c;
  };
  must(log->create_topic(topic("orders", 4, "")));
  must(log->create_topic(topic("shop.sums.g1.epochs", 2, "shop")));
  must(log->create_topic(topic("wide", 90, "shop")));  // the list of trees has several pages
  must(log->create_topic(topic("empty", 1, "")));
  auto short_lived = topic("short-lived", 1, "depot");
  short_lived.retention_time = milliseconds{1000};
  must(log->create_topic(short_lived));

  // Frames that share pages: a tree of three levels; and frames with pages of their own.
  {
    const auto writer = must(log->open_writer({"shop", "test"}));
    for (int part = 0; part < 4; ++part) {
      log_transaction tx;
      for (int i = 0; i < 40; ++i) {
        const auto n = part * 400 + i * 10;
        tx.appends.push_back({tp("shop.sums.g1.epochs", i % 2), numbered(n, 2, 60)});
        tx.appends.push_back({tp("wide", (part * 40 + i) % 90), numbered(n, 1, 20)});
        for (const auto* input : {"orders", "wide"}) {
          tx.moves.push_back({key_of("shop", fmt::format("stage-{}", i % 20), input, i % 4),
                              {offset{part / 3}, fmt::format("metadata {}", n)}});
        }
      }
      must(writer->commit(tx));
    }
    const auto depot = must(log->open_writer({"depot", "test"}));
    log_transaction tx;
    for (int i = 0; i < 30; ++i) {
      tx.appends.push_back({tp("short-lived"), numbered(i * 100, 20, 300)});
      tx.moves.push_back({key_of("depot", fmt::format("d-{}", i), "wide"), {offset{1}, "d"}});
    }
    must(depot->commit(tx));
  }
  for (int i = 0; i < 12; ++i) {
    must(log->append(tp("orders", i % 4), *numbered(i * 1000, 120, 80),
                     producer_sequence{fmt::format("producer {}", i), 7}));
  }
  for (int i = 0; i < 25; ++i) {
    must(log->append(tp("orders", 1), *numbered(20000 + i, 1, 700),
                     producer_sequence{fmt::format("another producer {}", i), 9}));
  }
  // Half of it goes: its pages are free then.
  must(log->apply_retention(at(1000 + 1500 + 1000)));
}

const std::filesystem::path& rich_log() {
  static const temporary_folder folder;
  static const auto path = [] {
    auto p = folder.path() / "rich";
    make_rich_log(p);
    return p;
  }();
  return path;
}

void overwrite(const std::filesystem::path& file, std::uint64_t where, const std::string& with) {
  std::fstream out{file, std::ios::binary | std::ios::in | std::ios::out};
  out.seekp(static_cast<std::streamoff>(where));
  out.write(with.data(), static_cast<std::streamsize>(with.size()));
  BOOST_REQUIRE(out.good());
}

void flip(const std::filesystem::path& file, std::uint64_t where, unsigned char bits) {
  std::ifstream in{file, std::ios::binary};
  in.seekg(static_cast<std::streamoff>(where));
  const auto old = in.get();
  BOOST_REQUIRE(old >= 0);
  overwrite(file, where, std::string(1, static_cast<char>(old ^ bits)));
}

std::string file_content(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void copy_log(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  std::filesystem::copy_file(from / "data.mdb", to / "data.mdb",
                             std::filesystem::copy_options::overwrite_existing);
}

std::map<std::string, std::vector<lmdb::page_number>> pages_by_kind(
    const std::filesystem::path& folder) {
  const auto snapshot = must(lmdb::file_snapshot::open({folder, false, false}));
  std::map<std::string, std::vector<lmdb::page_number>> out;
  out["meta"] = {0, 1};
  const auto no_fault = [](const lmdb::tree_fault& f) { BOOST_ERROR(f.what); };
  std::set<lmdb::page_number> values;
  for (const auto& [name, tree] : snapshot->trees()) {
    snapshot->walk(
        tree, {},
        [&](const lmdb::tree_entry& e) {
          if (!e.own_pages) return true;
          const auto first = e.value_at / snapshot->file().page_bytes();
          for (std::uint64_t i = 0; i < snapshot->file().overflow_pages(e.value_bytes); ++i) {
            values.insert(first + i);
          }
          return true;
        },
        no_fault);
  }
  lmdb::page_uses free_list{snapshot->meta().last_page};
  lmdb::tree_walk{snapshot->file(), free_list, [](const lmdb::tree_entry&) { return true; },
                  no_fault}
      .run(snapshot->meta().free, {}, lmdb::key_order::numbers);
  bytes page;
  for (lmdb::page_number p = 2; p <= snapshot->meta().last_page; ++p) {
    if (!snapshot->in_use(p)) {
      out[free_list.of(p) != 0 ? "free list" : "free"].push_back(p);
      continue;
    }
    BOOST_REQUIRE(snapshot->file().read_page(p, page));
    const auto flags = lmdb::page_head::read(page).flags;
    out[values.contains(p)                 ? "value"
        : flags == lmdb::page_head::branch ? "branch"
                                           : "leaf"]
        .push_back(p);
  }
  return out;
}

std::uint64_t used_place(const std::string& file, const std::string& kind, lmdb::page_number page,
                         std::mt19937_64& random) {
  const auto begin = page * page_bytes;
  if (kind == "meta") return begin + random() % 152;
  if (kind != "leaf" && kind != "branch") return begin + random() % page_bytes;
  const auto head = lmdb::page_head::read(bytes_view{file}.substr(begin, page_bytes));
  const std::uint64_t used = head.lower + (page_bytes - head.upper);
  const auto n = random() % used;
  return begin + (n < head.lower ? n : head.upper + (n - head.lower));
}

}  // namespace log_contract
