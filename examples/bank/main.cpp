// A bank that others use through the log: ./bank-load asks it.
#include "bank_app.hpp"

int main(int argc, char** argv) { return kappa::run(bank::bank_app(), argc, argv); }
