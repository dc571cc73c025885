// The server of src/http with a fixed answer, to compare with floor: what the HTTP layer alone
// costs. One thread, a plain listener on 127.0.0.1; prints the port.
//
//   http_hello [PORT]
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "http/server.h"

namespace {

using namespace latchkey;

class Hello final : public http::Handler {
 public:
  void OnRequest(http::Exchange& exchange) override {
    http::Response response;
    response.header_lines = "Content-Type: application/json; charset=utf-8\r\n";
    response.body = R"([{"symbol":"AAPL","date":1267401600000,"price":223.02}])";
    exchange.Answer(std::move(response));
  }
  void OnProtocolError(http::ProtocolError, std::string_view detail, const IpAddress&,
                       http::Response& answer) override {
    answer.header_lines = "Content-Type: text/plain; charset=utf-8\r\n";
    answer.body = detail;
  }
};

}  // namespace

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  http::Server server(1);
  http::ListenerOptions options;
  options.name = "hello";
  options.address = *IpAddress::Parse("127.0.0.1");
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  options.make_handler = [](int) { return std::make_unique<Hello>(); };
  const auto port = server.Listen(std::move(options));
  if (!port.ok()) {
    std::fprintf(stderr, "%s\n", port.error().public_text.c_str());
    return 1;
  }
  server.Start();
  std::printf("%u\n", static_cast<unsigned>(*port));
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return server.Stop(std::chrono::seconds(1)) ? 0 : 1;
}
