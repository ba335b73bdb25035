// A real Apache Kafka, one node or three, for as long as this object lives (tests/kafka/harness
// runs it).
//
// Threading: one thread at a time. Ownership: the brokers and their data are gone when it is
// destroyed, and also when this process dies without a word. Errors: std::runtime_error with the
// harness's reason (no Java, no jars, a broker that does not come up), so that a test that needs a
// broker fails with it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/child_process.hpp"

namespace kappa::testing {

struct kafka_broker_options {
  /// 1, or 3: three copies, of which two must be in sync.
  int nodes = 1;
  /// Empty: KAPPA_KAFKA_VERSION, or the harness's default.
  std::string version{};
  /// The brokers' settings, "key=value".
  std::vector<std::string> settings{};
  /// Beside the plaintext one: tls, mtls, sasl_plain, sasl_scram, sasl_ssl, cuttable (see
  /// cut_network). Users of the SASL listeners are alice, bob and admin, each with the password
  /// NAME-secret.
  std::vector<std::string> listeners{};
  /// Users of the SASL listeners (all but admin) may do only what they are granted; by plaintext
  /// all is allowed.
  bool acls = false;
  /// For measurements: Java compiles as well as it can, which a short test would only wait for.
  bool full_speed = false;
  /// Of each broker; 0: the harness's default.
  int heap_mb = 0;
};

class kafka_broker {
 public:
  struct node {
    int id = 0;
    /// Of the plaintext listener, on 127.0.0.1. Stays the same when the node is started again.
    int port = 0;
    /// -1 while it is down.
    pid_t pid = -1;
    std::filesystem::path log;
    std::filesystem::path data;
    /// See lose_commit. As of the last command.
    int lost = 0;
  };

  /// Returns when topics can be made and groups and transactions begun, with no coordinator still
  /// loading.
  explicit kafka_broker(const kafka_broker_options& options = {});
  ~kafka_broker();
  kafka_broker(const kafka_broker&) = delete;
  kafka_broker& operator=(const kafka_broker&) = delete;

  /// "127.0.0.1:PORT,…" of a listener.
  [[nodiscard]] const std::string& bootstrap(const std::string& listener = "plaintext") const;
  [[nodiscard]] const std::vector<node>& nodes() const { return nodes_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  /// Whether its version has the brokers' own group protocol (KIP-848).
  [[nodiscard]] bool has_own_protocol() const { return !version_.starts_with("3."); }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  /// Where all of it lies; removed at the end.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// PEM files of the TLS listeners: ca, client_certificate, client_key, and of an authority that
  /// signed nothing: other_ca.
  [[nodiscard]] const std::filesystem::path& file(const std::string& name) const;

  /// SIGKILL; returns when the process is gone.
  void kill_node(int id) { command("kill", id); }
  /// SIGTERM; returns when it has ended in order.
  void stop_node(int id) { command("stop", id); }
  /// Returns when it takes requests again; which takes a majority of the nodes. See wait_usable.
  void start_node(int id) { command("start", id); }
  /// SIGSTOP and SIGCONT.
  void pause_node(int id) { command("pause", id); }
  void resume_node(int id) { command("resume", id); }
  /// Its disk is lost: killed, and its data removed. start_node gives it an empty one.
  void wipe_node(int id) { command("wipe", id); }
  /// Its disk is full until the next start_node: no file can grow any more. A broker ends by that.
  void fill_disk(int id) { command("fill", id); }
  /// Whether its process is there. Asks the harness.
  [[nodiscard]] bool runs(int id);
  /// What goes through the listener "cuttable" of a node stands still (cut), arrives after all
  /// (heal), or is lost, with its connections (drop). The other listeners, and the nodes among
  /// themselves, are not touched.
  void cut_network(int id) { command("cut", id); }
  void heal_network(int id) { command("heal", id); }
  void drop_connections(int id) { command("drop", id); }
  /// The next commit of a transaction that goes to a node through the listener "cuttable" does not
  /// arrive (lose_commit), or arrives and its answer does not (lose_answer). Either drops the
  /// connections and cuts the network at once.
  void lose_commit(int id) { command("lose-commit", id); }
  void lose_answer(int id) { command("lose-answer", id); }
  /// How many of these have happened.
  [[nodiscard]] int lost(int id);
  /// Returns when every node that is up is in, in sync, and the coordinators have loaded.
  void wait_usable();
  /// Returns when the coordinators take all transactions for ended, those that timed out too. (That
  /// is the state in which a partition may hang: nobody will tell it any more.)
  void wait_for_transactions();
  /// Several at once (three nodes need two to start): "kill", "start", ….
  void command(const std::string& name, const std::vector<int>& ids);

 private:
  void command(const std::string& name, int id);
  [[nodiscard]] const node& status(int id);
  void end();
  void read_answer(const std::string& what);

  child_process harness_;
  std::string version_;
  std::string cluster_id_;
  std::filesystem::path folder_;
  std::vector<node> nodes_;
  std::map<std::string, std::string> bootstrap_;
  std::map<std::string, std::filesystem::path> files_;
};

/// One node with the default options, started at first use, ended when the test program exits.
/// Shared by the tests of a program: each makes topics and names of its own in it.
[[nodiscard]] kafka_broker& the_broker();

}  // namespace kappa::testing
