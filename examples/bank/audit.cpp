#include "audit.hpp"

#include <algorithm>
#include <random>
#include <type_traits>

#include <fmt/format.h>

#include "bank.kappa.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/for_each_record.hpp"

namespace bank {
namespace {

constexpr std::size_t most_findings = 20;

template <class E>
const std::string& type_of() {
  static const auto name = kappa::codec<E>::schema().name;
  return name;
}

}  // namespace

audit::index audit::number_of(std::unordered_map<std::string, index>& names,
                              kappa::bytes_view name) {
  return names.emplace(name, static_cast<index>(names.size())).first->second;
}

bool audit::has(const std::string& transfer) const {
  const auto found = names_.find(transfer);
  return found != names_.end() && found->second < transfers_.size() &&
         transfers_[found->second].cents > 0;
}

void audit::found(std::string what) {
  if (findings_.size() < most_findings) findings_.push_back(std::move(what));
}

kappa::result<void> audit::read(kappa::event_log& log) {
  if (parts_.empty()) {
    for (const auto* topic : {"accounts", "transfers"}) {
      auto config = log.find_topic(topic);
      if (!config) return kappa::fail(config.error());
      if (!*config) return kappa::fail(kappa::errc::not_found, topic, "there is no such topic");
      for (std::int32_t p = 0; p < (*config)->partitions; ++p)
        parts_.push_back({{topic, kappa::partition{p}}, kappa::offset{0}, {}});
    }
  }
  for (auto& p : parts_) {
    if (auto done = read(log, p); !done) return done;
  }
  return {};
}

kappa::result<void> audit::read(kappa::event_log& log, topic_part& p) {
  auto next = kappa::for_each_record(log, p.where, p.next,
                                     [&](const kappa::record_view& r) -> kappa::result<bool> {
                                       if (auto taken = take(r, p); !taken)
                                         return kappa::fail(taken.error());
                                       p.next = r.offset + 1;  // so far, if reading fails
                                       return true;
                                     });
  if (!next) return kappa::fail(next.error());
  p.next = *next;
  return {};
}

void audit::check_version(const kappa::record_view& r, const std::string& topic) {
  const auto header = kappa::decode_event_header(r.headers);
  auto& last = versions_[topic + "/" + std::string{*r.key}];
  if (!header || header->version != ++last) {
    found(fmt::format("{} {}: version {} is missing", topic, *r.key, last));
    if (header) last = header->version;
  }
}

kappa::result<void> audit::take(const kappa::record_view& r, topic_part& p) {
  const auto schema = r.headers.find(kappa::envelope_header::schema);
  if (!r.key || !r.value || !schema)
    return kappa::fail(kappa::errc::decode, p.where.text(), "a record is no event");
  const auto type = kappa::decode_schema_reference(*schema);
  if (!type) return kappa::fail(type.error());
  check_version(r, p.where.topic);
  ++events_;
  fact f;
  kappa::result<void> read;
  const auto as = [&]<class E>(kind what, std::type_identity<E> /*of*/, auto&& use) {
    if (type->name != type_of<E>()) return false;
    auto e = kappa::codec<E>::decode(*r.value);
    if (!e) {
      read = kappa::fail(e.error());
      return true;
    }
    f.what = what;
    use(*e);
    return true;
  };
  const auto of_account = [&] { f.account = number_of(accounts_, *r.key); };
  const auto of_transfer = [&] { f.transfer = number_of(names_, *r.key); };
  const auto moved = [&](const auto& e) {
    of_account();
    f.transfer = number_of(names_, e.transfer);
    f.cents = e.amount_cents;
  };
  const auto plain = [&](const auto& /*e*/) { of_transfer(); };
  const bool known = as(kind::opened, std::type_identity<account_opened>{},
                        [&](const auto& e) {
                          of_account();
                          ++opened_;
                          f.cents = e.deposit_cents;
                          paid_in_ += e.deposit_cents;
                        }) ||
                     as(kind::withdrawn, std::type_identity<withdrawn>{}, moved) ||
                     as(kind::deposited, std::type_identity<deposited>{}, moved) ||
                     as(kind::started, std::type_identity<transfer_started>{},
                        [&](const auto& e) {
                          of_transfer();
                          if (transfers_.size() <= f.transfer) transfers_.resize(f.transfer + 1);
                          transfers_[f.transfer] = {number_of(accounts_, e.from),
                                                    number_of(accounts_, e.to), e.amount_cents};
                          ++started_;
                        }) ||
                     as(kind::taken, std::type_identity<money_taken>{}, plain) ||
                     as(kind::refused, std::type_identity<deposit_refused>{}, plain) ||
                     as(kind::completed, std::type_identity<transfer_completed>{},
                        [&](const auto&) {
                          of_transfer();
                          ++completed_;
                        }) ||
                     as(kind::failed, std::type_identity<transfer_failed>{},
                        [&](const auto&) {
                          of_transfer();
                          ++failed_;
                        }) ||
                     as(kind::overdue, std::type_identity<transfer_overdue>{}, plain);
  if (!known) return kappa::fail(kappa::errc::decode, type->name, "it is no event of the bank");
  if (read) p.facts.push_back(f);
  return read;
}

// The bank, event after event, in one of the orders.
class audit::one_order {
 public:
  one_order(const audit& a, std::vector<std::string>& findings)
      : a_{a},
        findings_{findings},
        accounts_(a.accounts_.size()),
        moves_(std::max(a.names_.size(), a.transfers_.size())) {}

  // Whether what it follows from has happened.
  [[nodiscard]] bool may_come(const fact& f) const {
    if (f.transfer == nobody) return true;
    const auto& m = moves_[f.transfer];
    switch (f.what) {
      case kind::withdrawn:
        return m.started;
      case kind::taken:
        return m.withdrawn;
      case kind::deposited:
        return is_refund(f) ? m.refused : m.taken;
      case kind::refused:
        return m.taken;
      case kind::completed:
        return m.given;
      case kind::failed:
        return m.started && (!m.refused || m.refunded);
      case kind::overdue:
        return m.started;
      default:
        return true;
    }
  }

  void comes(const fact& f) {
    switch (f.what) {
      case kind::opened:
        once(accounts_[f.account].opened, f, "it was opened twice");
        paid_in_ += f.cents;
        in_accounts_ += f.cents;
        accounts_[f.account].cents = f.cents;
        break;
      case kind::withdrawn:
        once(moves_[f.transfer].withdrawn, f, "money was taken twice");
        same(f.account == of(f).from, f, "money was taken from another account");
        move(f, -f.cents);
        held_ += of(f).cents;
        break;
      case kind::deposited:
        once(is_refund(f) ? moves_[f.transfer].refunded : moves_[f.transfer].given, f,
             "money was given twice");
        same(is_refund(f) || f.account == of(f).to, f, "money was given to another account");
        move(f, f.cents);
        held_ -= of(f).cents;
        break;
      case kind::started:
        once(moves_[f.transfer].started, f, "it was started twice");
        ++open_;
        break;
      case kind::taken:
        once(moves_[f.transfer].taken, f, "it took money twice");
        break;
      case kind::refused:
        once(moves_[f.transfer].refused, f, "it was refused twice");
        same(!moves_[f.transfer].given, f, "refused, and the money was given");
        break;
      case kind::completed:
        same(!moves_[f.transfer].refused, f, "completed and refused");
        ends(f);
        break;
      case kind::failed:
        same(!moves_[f.transfer].withdrawn || moves_[f.transfer].refunded, f,
             "it failed, and its money is gone");
        ends(f);
        break;
      case kind::overdue:
        once(moves_[f.transfer].overdue, f, "it was overdue twice");
        same(!moves_[f.transfer].ended, f, "it was overdue after its end");
        break;
    }
    if (in_accounts_ + held_ != paid_in_)
      say(fmt::format("{} cents in accounts and {} held are not the {} that were paid in",
                      in_accounts_, held_, paid_in_));
    if (open_ == 0 && in_accounts_ != paid_in_)
      say(fmt::format("no transfer is open, and {} cents in accounts are not the {} paid in",
                      in_accounts_, paid_in_));
  }

 private:
  struct account_facts {
    bool opened = false;
    std::int64_t cents = 0;
  };
  struct moves {
    bool started = false;
    bool withdrawn = false;
    bool taken = false;
    bool given = false;
    bool refused = false;
    bool refunded = false;
    bool ended = false;
    bool overdue = false;
  };

  const transfer_facts& of(const fact& f) const {
    static const transfer_facts none{};
    return f.transfer < a_.transfers_.size() ? a_.transfers_[f.transfer] : none;
  }
  [[nodiscard]] bool is_refund(const fact& f) const { return f.account == of(f).from; }

  void move(const fact& f, std::int64_t cents) {
    same(!moves_[f.transfer].ended, f, "money moved after its end");
    auto& in = accounts_[f.account];
    same(in.opened, f, "money moved where there is no account");
    in.cents += cents;
    in_accounts_ += cents;
    same(in.cents >= 0, f, "a balance is below zero");
  }
  void ends(const fact& f) {
    once(moves_[f.transfer].ended, f, "it ended twice");
    --open_;
  }
  void once(bool& was, const fact& f, const char* otherwise) {
    same(!was, f, otherwise);
    was = true;
  }
  void same(bool good, const fact& f, const char* otherwise) {
    if (good) return;
    const auto name = [](const auto& names, index n) -> std::string {
      for (const auto& [text, number] : names)
        if (number == n) return text;
      return "-";
    };
    say(fmt::format("transfer {}, account {}: {}", name(a_.names_, f.transfer),
                    name(a_.accounts_, f.account), otherwise));
  }
  void say(std::string what) {
    if (findings_.size() < most_findings) findings_.push_back(std::move(what));
  }

  const audit& a_;
  std::vector<std::string>& findings_;
  std::vector<account_facts> accounts_;
  std::vector<moves> moves_;
  std::int64_t paid_in_ = 0;
  std::int64_t in_accounts_ = 0;
  std::int64_t held_ = 0;  // as the transfers have it, not the accounts
  std::int64_t open_ = 0;
};

std::vector<std::string> audit::findings(std::size_t orders, std::uint64_t seed) const {
  auto all = findings_;
  std::mt19937_64 dice{seed};
  for (std::size_t n = 0; n < orders && all.empty(); ++n) {
    one_order order{*this, all};
    std::vector<std::size_t> at(parts_.size(), 0);
    std::vector<std::size_t> left;
    for (std::size_t p = 0; p < parts_.size(); ++p) left.push_back(p);
    while (!left.empty() && all.size() < most_findings) {
      // A run of a random length from a random part: short ones mix, long ones pull apart.
      std::shuffle(left.begin(), left.end(), dice);
      bool any = false;
      for (auto l = left.begin(); l != left.end() && !any; ++l) {
        const auto& facts = parts_[*l].facts;
        auto run = std::size_t{1} << dice() % 16;
        while (run-- > 0 && at[*l] < facts.size() && order.may_come(facts[at[*l]])) {
          order.comes(facts[at[*l]++]);
          any = true;
        }
        if (at[*l] == facts.size()) {
          left.erase(l);
          any = true;
          break;
        }
      }
      if (any) continue;
      for (const auto p : left) {
        all.push_back(fmt::format("{}, event {}: an effect without its cause",
                                  parts_[p].where.text(), at[p]));
      }
      break;
    }
  }
  return all;
}

}  // namespace bank
