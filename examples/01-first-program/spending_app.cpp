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
  // [source]
  const kappa::csv_format format{.columns = {"placed", "customer", "cents"}};
  const auto orders = app.source<order>("orders", kappa::csv_source(file, format, parse_order));
  // [/source]
  add_up(orders);
  return app;
}
