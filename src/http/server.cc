#include "http/server.h"

#include <algorithm>
#include <cerrno>
#include <thread>

#include <boost/asio/ip/v6_only.hpp>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/thread_annotations.h"
#include "http/admission.h"
#include "http/io_thread.h"

namespace latchkey::http {
namespace {

using asio::ip::tcp;

tcp::endpoint ToEndpoint(const IpAddress& address, std::uint16_t port) {
  const auto& bytes = address.bytes();
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type v4{bytes[12], bytes[13], bytes[14], bytes[15]};
    return {asio::ip::address_v4(v4), port};
  }
  asio::ip::address_v6::bytes_type v6;
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return {asio::ip::address_v6(v6), port};
}

std::string AddressText(const IpAddress& address, std::uint16_t port) {
  const std::string text = address.ToString();
  return (address.is_v4() ? text : "[" + text + "]") + ":" + std::to_string(port);
}

Error CannotListen(const ListenerOptions& options, std::uint16_t port,
                   const boost::system::error_code& error) {
  return MakeError(ErrorCode::kUnavailable, "cannot listen on " +
                                                AddressText(options.address, port) + " (" +
                                                options.name + "): " + error.message());
}

boost::system::error_code Bind(Acceptor& acceptor, const tcp::endpoint& endpoint, bool reuse_port) {
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (error) return error;
  ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (error) return error;
  if (endpoint.protocol() == tcp::v6()) {
    acceptor.set_option(asio::ip::v6_only(false), error);
    if (error) return error;
  }
  const int on = 1;
  if (reuse_port &&
      ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return {errno, boost::system::system_category()};
  }
  acceptor.bind(endpoint, error);
  if (!error) acceptor.native_non_blocking(true, error);
  return error;
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(int threads) {
    for (int i = 0; i < std::clamp(threads, 1, 256); ++i) {
      io_.push_back(std::make_unique<IoThread>());
    }
  }

  Result<std::uint16_t> Listen(ListenerOptions options) {
    tcp::endpoint endpoint = ToEndpoint(options.address, options.port);
    if (options.port != 0) {
      // SO_REUSEPORT lets another process of this user share the port in silence; a bind without
      // it is refused.
      Acceptor probe(io_[0]->context());
      if (const auto error = Bind(probe, endpoint, false)) {
        return CannotListen(options, options.port, error);
      }
    }
    auto listener = std::make_unique<Listener>(std::move(options));
    std::vector<Acceptor> acceptors;
    for (auto& thread : io_) {
      Acceptor acceptor(thread->context());
      boost::system::error_code error = Bind(acceptor, endpoint, true);
      if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
      if (error) return CannotListen(listener->options, endpoint.port(), error);
      endpoint.port(acceptor.local_endpoint().port());
      acceptors.push_back(std::move(acceptor));
    }
    for (std::size_t i = 0; i < io_.size(); ++i) {
      io_[i]->AddListener(listener->options, listener->admission).acceptor =
          std::move(acceptors[i]);
    }
    listeners_.push_back(std::move(listener));
    return endpoint.port();
  }

  void Start() {
    {
      const MutexLock lock(mutex_);
      running_ = io_.size();
    }
    for (std::size_t i = 0; i < io_.size(); ++i) {
      threads_.emplace_back([this, i] {
        io_[i]->Run(static_cast<int>(i));
        const MutexLock lock(mutex_);
        --running_;
        changed_.NotifyAll();
      });
    }
  }

  bool Stop(std::chrono::milliseconds patience) {
    if (threads_.empty()) return true;
    for (auto& thread : io_) thread->RequestDrain();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    {
      const MutexLock lock(mutex_);
      while (running_ > 0 && !hurry_) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= left.zero()) break;
        changed_.WaitFor(mutex_, left);
      }
    }
    for (auto& thread : io_) thread->RequestCut();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    std::size_t cut = 0;
    for (const auto& thread : io_) cut += thread->cut();
    return cut == 0;
  }

  void StopNow() {
    const MutexLock lock(mutex_);
    hurry_ = true;
    changed_.NotifyAll();
  }

  ServerCounts Counts(std::string_view name) const {
    ServerCounts sum;
    for (const auto& thread : io_) {
      for (const auto& listener : thread->listeners()) {
        if (listener->options.name != name) continue;
        const Counters& c = listener->counters;
        sum.accepted += c.accepted.Get();
        sum.open += c.open.Get();
        sum.rejected_total += c.rejected_total.Get();
        sum.rejected_per_address += c.rejected_per_address.Get();
        sum.tls_handshakes += c.tls_handshakes.Get();
        sum.tls_resumed += c.tls_resumed.Get();
        sum.tls_failed += c.tls_failed.Get();
        sum.closed_head_timeout += c.closed_head_timeout.Get();
        sum.closed_body_timeout += c.closed_body_timeout.Get();
        sum.closed_idle += c.closed_idle.Get();
        sum.closed_write_timeout += c.closed_write_timeout.Get();
        sum.protocol_errors += c.protocol_errors.Get();
      }
    }
    return sum;
  }

 private:
  struct Listener {
    explicit Listener(ListenerOptions options_in)
        : options(std::move(options_in)), admission(options) {}
    const ListenerOptions options;
    Admission admission;
  };

  std::vector<std::unique_ptr<Listener>> listeners_;  // before the threads that refer to them
  std::vector<std::unique_ptr<IoThread>> io_;
  std::vector<std::thread> threads_;
  Mutex mutex_;
  CondVar changed_;
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  bool hurry_ GUARDED_BY(mutex_) = false;
};

Server::Server(int threads) : impl_(std::make_unique<Impl>(threads)) {}

Server::~Server() { (void)impl_->Stop(std::chrono::milliseconds(0)); }

Result<std::uint16_t> Server::Listen(ListenerOptions options) {
  return impl_->Listen(std::move(options));
}

void Server::Start() { impl_->Start(); }

bool Server::Stop(std::chrono::milliseconds patience) { return impl_->Stop(patience); }

void Server::StopNow() { impl_->StopNow(); }

ServerCounts Server::Counts(std::string_view listener) const { return impl_->Counts(listener); }

}  // namespace latchkey::http
