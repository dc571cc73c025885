#include "http/server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread_annotations.h"
#include "http/connection.h"

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

IpAddress ToIpAddress(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    std::array<std::uint8_t, 4> v4;
    std::memcpy(v4.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, v4.size());
    return IpAddress::FromV4(v4);
  }
  std::array<std::uint8_t, 16> v6;
  std::memcpy(v6.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, v6.size());
  return IpAddress::FromV6(v6);
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

// ---- Deferred ----

Deferred::Deferred(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) { ++impl_->handles; }
Deferred::Deferred(Deferred&&) noexcept = default;

Deferred& Deferred::operator=(Deferred&& other) noexcept {
  Deferred moved(std::move(other));
  std::swap(impl_, moved.impl_);
  return *this;
}

Deferred::~Deferred() {
  if (impl_ == nullptr || --impl_->handles > 0) return;
  if (impl_->over.load(std::memory_order_acquire)) return;
  const std::shared_ptr<Mailbox> mailbox = impl_->mailbox;
  mailbox->Send({Mailbox::Item::Kind::kDropped, std::move(impl_), nullptr});
}

void Deferred::Post(std::function<void(Exchange&)> work) {
  if (impl_->over.load(std::memory_order_acquire)) return;
  impl_->mailbox->Send({Mailbox::Item::Kind::kWork, impl_, std::move(work)});
}

void Deferred::ResumeBody() {
  if (impl_->over.load(std::memory_order_acquire)) return;
  impl_->mailbox->Send({Mailbox::Item::Kind::kResume, impl_, nullptr});
}

bool Deferred::Abandoned() const { return impl_->gone.load(std::memory_order_relaxed); }

// ---- Mailbox ----

void Mailbox::Send(Item item) {
  // An item that is not taken is destroyed after the lock is gone: it may hold a Deferred.
  const MutexLock lock(mutex_);
  if (thread_ == nullptr) return;
  items_.push_back(std::move(item));
  if (items_.size() == 1) {
    asio::post(thread_->context(), [thread = thread_] { thread->DrainMailbox(); });
  }
}

std::vector<Mailbox::Item> Mailbox::Take() {
  const MutexLock lock(mutex_);
  return std::exchange(items_, {});
}

void Mailbox::Close() {
  std::vector<Item> dropped;
  {
    const MutexLock lock(mutex_);
    thread_ = nullptr;
    dropped.swap(items_);
  }
}

// ---- Admission ----

bool Admission::Trusted(const IpAddress& address) const {
  return std::any_of(options_.trusted_proxies.begin(), options_.trusted_proxies.end(),
                     [&](const IpNetwork& network) { return network.Contains(address); });
}

Admission::Verdict Admission::Enter(const IpAddress& address) {
  const bool trusted = Trusted(address);
  const MutexLock lock(mutex_);
  if (open_ >= options_.limits.max_connections) return Verdict::kTooMany;
  if (!trusted) {
    std::size_t& count = per_address_[address];
    if (count >= options_.limits.max_connections_per_address) {
      if (count == 0) per_address_.erase(address);
      return Verdict::kTooManyOfAddress;
    }
    ++count;
  }
  ++open_;
  return Verdict::kAdmitted;
}

void Admission::Leave(const IpAddress& address) {
  const bool trusted = Trusted(address);
  const MutexLock lock(mutex_);
  --open_;
  if (trusted) return;
  const auto found = per_address_.find(address);
  if (found != per_address_.end() && --found->second == 0) per_address_.erase(found);
}

// ---- IoThread ----

// Connections are watched by an epoll set of our own, one descriptor to the io_context: asked to
// read, Asio tries a receive at once, which finds nothing after each answer, and asked to wait it
// changes its own set, a system call either way, for every request. Here a request costs one
// receive and one send, and each turn of the loop a few calls for all requests of it. Whatever else
// there is (accepts, the sweep, work from other threads, and what handlers may wait for) is Asio's.
//
// No locks around the reactor: what it watches belongs to this thread. Posting from other threads
// goes through the scheduler, which keeps its lock.
IoThread::IoThread()
    : context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      ready_(context_, ::epoll_create1(EPOLL_CLOEXEC)),
      started_(clock_.Monotonic()),
      timer_(context_),
      mailbox_(std::make_shared<Mailbox>(*this)) {
  UpdateClock();
}

IoThread::~IoThread() { mailbox_->Close(); }

ThreadListener& IoThread::AddListener(const ListenerOptions& options, Admission& admission) {
  listeners_.push_back(std::make_unique<ThreadListener>(options, admission, context_));
  return *listeners_.back();
}

void IoThread::UpdateClock() {
  now_ =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Monotonic() - started_).count();
  const Timestamp now = clock_.Now();
  const std::int64_t second = ToUnixMillis(now) / 1000;
  if (second != date_second_) {
    date_second_ = second;
    date_line_ = "Date: " + FormatHttpDate(now) + "\r\n";
  }
}

void IoThread::Run(int index) {
  ::pthread_setname_np(::pthread_self(), ("io-" + std::to_string(index)).c_str());
  UpdateClock();
  for (auto& listener : listeners_) listener->handler = listener->options.make_handler(index);
  for (auto& listener : listeners_) ArmAccept(*listener);
  ArmReady();
  ArmSweep();
  context_.run();
  mailbox_->Close();
  for (auto& listener : listeners_) listener->handler.reset();
}

void IoThread::ArmSweep() {
  timer_.expires_after(kSweepInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    Sweep();
    if (!finished_) ArmSweep();
  });
}

void IoThread::Sweep() {
  UpdateClock();
  // By index: a connection that is closed here leaves its slot, none comes in.
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.connection == nullptr) continue;
    if (slot.read_deadline > now_ && slot.write_deadline > now_) continue;
    slot.connection->OnDeadline();
  }
  for (auto& listener : listeners_) {
    if (listener->accept_paused) {
      listener->accept_paused = false;
      ArmAccept(*listener);
    }
    listener->handler->OnTick();
  }
}

void IoThread::ArmReady() {
  ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      Dispatch();
                      if (!finished_) ArmReady();
                    });
}

void IoThread::Dispatch() {
  // Under load the next events are there when the last ones are done: some rounds save the way
  // through Asio, few enough that its own work is not kept waiting.
  constexpr int kRounds = 8;
  constexpr int kBusy = 8;
  std::array<epoll_event, 128> events;
  for (int round = 0; round < kRounds; ++round) {
    const int count =
        ::epoll_wait(ready_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (Connection* connection = Find(event.data.u64)) connection->OnReady(event.events);
    }
    if (count < kBusy) return;
  }
}

std::uint64_t IoThread::KeyOf(std::size_t slot) const {
  return std::uint64_t{slots_[slot].generation} << 32 | slot;
}

// Null if the connection that the key was made for is gone, whoever has its slot now.
Connection* IoThread::Find(std::uint64_t key) const {
  const std::size_t slot = key & UINT32_MAX;
  return KeyOf(slot) == key ? slots_[slot].connection : nullptr;
}

void IoThread::Resume(std::size_t slot) {
  asio::post(context_, [this, key = KeyOf(slot)] {
    if (Connection* connection = Find(key)) connection->OnReady(0);
  });
}

void IoThread::ArmAccept(ThreadListener& listener) {
  if (draining_) return;
  listener.acceptor.async_wait(Acceptor::wait_read,
                               [this, &listener](const boost::system::error_code& error) {
                                 if (error || draining_) return;
                                 Accept(listener);
                                 if (!listener.accept_paused) ArmAccept(listener);
                               });
}

// Takes what is in the queue, up to a bound: the wait tells of the rest.
void IoThread::Accept(ThreadListener& listener) {
  constexpr int kAcceptsPerTurn = 64;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int fd =
        ::accept4(listener.acceptor.native_handle(), reinterpret_cast<sockaddr*>(&address), &length,
                  SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Admit(listener, fd, ToIpAddress(address));
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        // The queue would report it again at once: the next sweep tries.
        listener.accept_paused = true;
        return;
      default:
        break;  // that connection's fault (accept(2)), not the listener's
    }
  }
}

void IoThread::Admit(ThreadListener& listener, int fd, const IpAddress& peer) {
  listener.counters.accepted.Add();
  switch (listener.admission.Enter(peer)) {
    case Admission::Verdict::kTooMany:
      listener.counters.rejected_total.Add();
      ::close(fd);
      return;
    case Admission::Verdict::kTooManyOfAddress:
      listener.counters.rejected_per_address.Add();
      ::close(fd);
      return;
    case Admission::Verdict::kAdmitted:
      break;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (free_slots_.empty()) {
    free_slots_.push_back(slots_.size());
    slots_.emplace_back();
  }
  const std::size_t index = free_slots_.back();
  // By edges, once for all: nothing is changed in the set until the socket is closed.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = KeyOf(index);
  if (::epoll_ctl(ready_.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) {
    ::close(fd);
    listener.admission.Leave(peer);
    return;
  }
  free_slots_.pop_back();
  ++open_;
  listener.counters.open.Add();
  auto* connection = new Connection(*this, listener, fd, peer, index);
  slots_[index].connection = connection;
  connection->Start();
}

void IoThread::Remove(std::size_t index) {
  Slot& slot = slots_[index];
  const std::unique_ptr<Connection> connection(slot.connection);
  slot = Slot{nullptr, slot.generation + 1, kNever, kNever};
  free_slots_.push_back(index);
  --open_;
  connection->LeaveListener();
  FinishIfEmpty();
}

void IoThread::DrainMailbox() {
  for (Mailbox::Item& item : mailbox_->Take()) {
    if (item.deferred->connection != nullptr) item.deferred->connection->OnMail(item);
  }
}

void IoThread::RequestDrain() {
  asio::post(context_, [this] { BeginDrain(); });
}

void IoThread::RequestCut() {
  asio::post(context_, [this] { CutAll(); });
}

void IoThread::BeginDrain() {
  if (draining_) return;
  for (auto& listener : listeners_) {
    // Whoever is in the queue has been told that we accept.
    Accept(*listener);
    boost::system::error_code ignored;
    listener->acceptor.close(ignored);
  }
  draining_ = true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection != nullptr) slots_[i].connection->OnDrain();
  }
  FinishIfEmpty();
}

void IoThread::CutAll() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection == nullptr) continue;
    ++cut_;
    slots_[i].connection->Cut();
  }
  FinishIfEmpty();
}

void IoThread::FinishIfEmpty() {
  if (!draining_ || finished_ || open_ > 0) return;
  finished_ = true;
  context_.stop();
}

// ---- Server ----

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
