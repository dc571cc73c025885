#include "http/client.h"

#include <algorithm>
#include <memory>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/ip_address.h"
#include "http/target.h"

namespace latchkey::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using TlsSocket = beast::ssl_stream<beast::tcp_stream>;

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::uint64_t kMaxBodyInMemory = 256ull * 1024 * 1024;

struct Url {
  bool tls = false;
  std::string host;  // without brackets
  std::string port;
  std::string authority;  // as it stands in Host
};

Result<Url> ParseBase(const std::string& text) {
  auto invalid = [&] {
    return MakeError(ErrorCode::kInvalid,
                     "'" + text + "' is not a server's URL, such as https://127.0.0.1:8444");
  };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return invalid();
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (!IsValidHost(rest)) return invalid();
  url.authority = rest;
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == rest.npos ? 0 : bracket);
  url.port = colon == rest.npos || colon + 1 == rest.size() ? (url.tls ? "443" : "80")
                                                            : rest.substr(colon + 1);
  url.host = rest.substr(0, colon);
  if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
  return url;
}

// A file that takes its name when it is complete.
class AnswerFile {
 public:
  explicit AnswerFile(std::string name) : name_(std::move(name)), temporary_(name_ + ".part") {
    ::unlink(temporary_.c_str());
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  }
  ~AnswerFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!kept_) ::unlink(temporary_.c_str());
  }
  AnswerFile(const AnswerFile&) = delete;
  AnswerFile& operator=(const AnswerFile&) = delete;

  bool ok() const { return fd_ >= 0; }
  std::uint64_t bytes() const { return bytes_; }
  bool Write(std::string_view bytes) {
    bytes_ += bytes.size();
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  bool Keep() {
    kept_ = ::fsync(fd_) == 0 && ::rename(temporary_.c_str(), name_.c_str()) == 0;
    return kept_;
  }

 private:
  const std::string name_;
  const std::string temporary_;
  int fd_ = -1;
  std::uint64_t bytes_ = 0;
  bool kept_ = false;
};

// One request over one connection. Every step is an asynchronous operation with a limit, run until
// it is done: the blocking ones of Asio know no time limit.
class Call {
 public:
  Call(const ClientOptions& options, const Url& url, const ClientRequest& request)
      : options_(options), url_(url), request_(request) {}
  ~Call() {
    if (body_fd_ >= 0) ::close(body_fd_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Result<ClientResponse> Run() {
    if (Status opened = OpenBody(); !opened.ok()) return std::move(opened).error();
    if (Status connected = Connect(); !connected.ok()) return std::move(connected).error();
    Result<ClientResponse> response = tls_ ? Exchange(*tls_) : Exchange(*plain_);
    if (tls_ && response.ok()) {
      // All is here; a peer that doesn't say goodbye takes nothing away.
      tls_->next_layer().expires_after(std::chrono::seconds(1));
      static_cast<void>(Wait([&](auto done) { tls_->async_shutdown(done); }));
    }
    return response;
  }

 private:
  template <typename Start>
  error_code Wait(Start start) {
    error_code result = asio::error::would_block;
    start([&result](const error_code& error, auto&&...) { result = error; });
    context_.restart();
    context_.run();
    return result;
  }

  beast::tcp_stream& Tcp() { return tls_ ? tls_->next_layer() : *plain_; }

  Status OpenBody() {
    if (request_.body_file.empty()) {
      body_size_ = request_.body.size();
      return {};
    }
    body_fd_ = ::open(request_.body_file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status{};
    if (body_fd_ < 0 || ::fstat(body_fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
      return MakeError(ErrorCode::kInvalid, request_.body_file + " cannot be read");
    }
    body_size_ = static_cast<std::uint64_t>(status.st_size);
    return {};
  }

  Error Unreachable(const std::string& why) const {
    return MakeError(ErrorCode::kUnavailable, "no connection to " + options_.base_url + ": " + why);
  }

  Status Connect() {
    asio::ip::tcp::resolver resolver(context_);
    asio::ip::tcp::resolver::results_type found;
    error_code resolved = asio::error::timed_out;
    resolver.async_resolve(url_.host, url_.port, [&](const error_code& error, auto results) {
      resolved = error;
      found = std::move(results);
    });
    context_.restart();
    if (context_.run_for(options_.connect_timeout) == 0) resolver.cancel();
    if (resolved) return Unreachable(resolved.message());

    if (url_.tls) {
      if (Status prepared = PrepareTls(); !prepared.ok()) return prepared;
      tls_.emplace(context_, *tls_context_);
    } else {
      plain_.emplace(context_);
    }
    Tcp().expires_after(options_.connect_timeout);
    const error_code connected = Wait([&](auto done) { Tcp().async_connect(found, done); });
    if (connected) return Unreachable(connected.message());
    error_code ignored;
    Tcp().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    return url_.tls ? StartTls() : Status();
  }

  Status PrepareTls() {
    tls_context_.emplace(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(tls_context_->native_handle(), TLS1_2_VERSION);
    error_code error;
    if (options_.ca_file.empty()) {
      tls_context_->set_default_verify_paths(error);
    } else {
      tls_context_->load_verify_file(options_.ca_file, error);
    }
    if (error) {
      return MakeError(ErrorCode::kInvalid,
                       options_.ca_file + " holds no certificates that can be read");
    }
    tls_context_->set_verify_mode(asio::ssl::verify_peer, error);
    return {};
  }

  Status StartTls() {
    SSL* ssl = tls_->native_handle();
    const bool address = IpAddress::Parse(url_.host).has_value();
    X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
    const bool prepared = address ? X509_VERIFY_PARAM_set1_ip_asc(verify, url_.host.c_str()) == 1
                                  : SSL_set1_host(ssl, url_.host.c_str()) == 1 &&
                                        SSL_set_tlsext_host_name(ssl, url_.host.c_str()) == 1;
    if (!prepared) return Unreachable("TLS cannot be prepared");
    Tcp().expires_after(options_.connect_timeout);
    const error_code shaken =
        Wait([&](auto done) { tls_->async_handshake(asio::ssl::stream_base::client, done); });
    if (!shaken) return {};
    const long verified = SSL_get_verify_result(ssl);
    ERR_clear_error();
    if (verified != X509_V_OK) {
      return Unreachable("its certificate is not trusted (" +
                         std::string(X509_verify_cert_error_string(verified)) + ")");
    }
    return Unreachable("TLS failed: " + shaken.message());
  }

  Error BrokeOff(const error_code& error) const {
    // Not known whether the server acted; but nothing can have happened before a byte went out.
    return MakeError(sent_any_ ? ErrorCode::kUnknown : ErrorCode::kUnavailable,
                     "the connection to " + options_.base_url + " broke off: " + error.message());
  }

  template <typename Stream>
  Result<ClientResponse> Exchange(Stream& stream) {
    beast_http::request<beast_http::empty_body> head;
    head.method_string(request_.method);
    head.target(request_.target);
    head.version(11);
    head.set(beast_http::field::host, url_.authority);
    head.set(beast_http::field::connection, "close");
    for (const auto& [name, value] : request_.headers) head.set(name, value);
    if (body_size_ > 0 || request_.method == "POST" || request_.method == "PUT" ||
        request_.method == "PATCH") {
      head.content_length(body_size_);
    }
    beast_http::request_serializer<beast_http::empty_body> serializer(head);
    Tcp().expires_after(options_.io_timeout);
    error_code error =
        Wait([&](auto done) { beast_http::async_write_header(stream, serializer, done); });
    if (error) return BrokeOff(error);
    sent_any_ = true;
    // A server may answer and close before it has taken the whole body (413, 401): its answer says
    // more than the broken pipe.
    const error_code sent = SendBody(stream);
    if (sent == asio::error::invalid_argument) {
      return MakeError(ErrorCode::kUnknown, request_.body_file + " changed while it was sent");
    }
    Result<ClientResponse> response = Receive(stream);
    if (!response.ok() && sent) return BrokeOff(sent);
    return response;
  }

  template <typename Stream>
  error_code SendBody(Stream& stream) {
    std::string piece;
    std::uint64_t sent = 0;
    while (sent < body_size_) {
      std::string_view bytes;
      if (body_fd_ < 0) {
        bytes = std::string_view(request_.body).substr(sent, kPieceBytes);
      } else {
        piece.resize(std::min<std::uint64_t>(kPieceBytes, body_size_ - sent));
        const ssize_t count = ::read(body_fd_, piece.data(), piece.size());
        if (count <= 0) return asio::error::invalid_argument;
        bytes = std::string_view(piece).substr(0, static_cast<std::size_t>(count));
      }
      while (!bytes.empty()) {
        std::size_t taken = 0;
        Tcp().expires_after(options_.io_timeout);
        const error_code error = Wait([&](auto done) {
          stream.async_write_some(asio::buffer(bytes),
                                  [&taken, done](const error_code& result, std::size_t count) {
                                    taken = count;
                                    done(result);
                                  });
        });
        if (error) return error;
        bytes.remove_prefix(taken);
        sent += taken;
      }
      if (request_.on_progress) request_.on_progress(sent, body_size_);
    }
    return {};
  }

  template <typename Stream>
  Result<ClientResponse> Receive(Stream& stream) {
    beast::flat_buffer buffer;
    beast_http::response_parser<beast_http::buffer_body> parser;
    parser.body_limit(boost::none);
    parser.header_limit(64 * 1024);
    if (request_.method == "HEAD") parser.skip(true);
    Tcp().expires_after(options_.io_timeout);
    error_code error =
        Wait([&](auto done) { beast_http::async_read_header(stream, buffer, parser, done); });
    if (error) return BrokeOff(error);

    ClientResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    std::optional<AnswerFile> file;
    if (!request_.answer_file.empty() && response.status / 100 == 2) {
      file.emplace(request_.answer_file);
      if (!file->ok()) {
        return MakeError(ErrorCode::kInvalid, request_.answer_file + " cannot be written");
      }
    }
    const auto piece = std::make_unique<char[]>(kPieceBytes);
    while (!parser.is_done()) {
      parser.get().body().data = piece.get();
      parser.get().body().size = kPieceBytes;
      Tcp().expires_after(options_.io_timeout);
      error = Wait([&](auto done) { beast_http::async_read(stream, buffer, parser, done); });
      if (error && error != beast_http::error::need_buffer) return BrokeOff(error);
      const std::string_view bytes(piece.get(), kPieceBytes - parser.get().body().size);
      if (file) {
        if (!file->Write(bytes)) {
          return MakeError(ErrorCode::kUnavailable, request_.answer_file + " cannot be written");
        }
      } else {
        if (response.body.size() + bytes.size() > kMaxBodyInMemory) {
          return MakeError(ErrorCode::kUnknown, "the answer is too large");
        }
        response.body.append(bytes);
      }
    }
    if (!file) return response;
    // What stands under the name goes only for a file that is whole.
    const std::string_view told = response.Header("Latchkey-Content-Bytes");
    if (!told.empty() && told != std::to_string(file->bytes())) {
      return MakeError(ErrorCode::kUnknown, "the file did not arrive whole; try again");
    }
    if (!file->Keep()) {
      return MakeError(ErrorCode::kUnavailable, request_.answer_file + " cannot be written");
    }
    return response;
  }

  const ClientOptions& options_;
  const Url& url_;
  const ClientRequest& request_;
  int body_fd_ = -1;
  std::uint64_t body_size_ = 0;
  bool sent_any_ = false;
  asio::io_context context_{1};
  std::optional<asio::ssl::context> tls_context_;
  std::optional<beast::tcp_stream> plain_;
  std::optional<TlsSocket> tls_;
};

}  // namespace

std::string_view ClientResponse::Header(std::string_view name) const {
  for (const auto& [each, value] : headers) {
    if (EqualsIgnoreCase(each, name)) return value;
  }
  return {};
}

Result<ClientResponse> Client::Send(const ClientRequest& request) const {
  const Result<Url> url = ParseBase(options_.base_url);
  if (!url.ok()) return url.error();
  try {
    return Call(options_, *url, request).Run();
  } catch (const std::exception& error) {
    // Asio and Beast report by code here; what is left is want of memory.
    return MakeError(ErrorCode::kInternal, "the request failed", error.what());
  }
}

}  // namespace latchkey::http
