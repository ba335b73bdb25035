#include "spending_app.hpp"

int main(int argc, char** argv) { return kappa::run(spending_app("orders.csv"), argc, argv); }
