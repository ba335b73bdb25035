#include "spending_app.hpp"

kappa::result<order> parse_order(kappa::csv_row& row) {
  return row.done(order{.placed = row.time("placed"),
                        .customer = std::string{row.text("customer")},
                        .cents = row.int64("cents")});
}

// [pipeline]
void add_up(const kappa::stream<order>& orders) {
  orders.validate("positive", [](const order& o) { return o.cents > 0; })
      .key_by("customer", &order::customer)
      .fold<spending>("spending", &spending::add)
      .to("spending");
}
// [/pipeline]

kappa::app spending_app(const std::string& file) {
  kappa::app app{"spending"};
  add_up(app.source<order>(
      "orders",
      kappa::csv_source(file, {.columns = {"placed", "customer", "cents"}}, parse_order)));
  return app;
}
