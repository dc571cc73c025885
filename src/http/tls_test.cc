#include "http/tls.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "env/clock.h"
#include "http/client.h"
#include "http/openssl_ptr.h"
#include "http/server.h"
#include "test/support/socket_client.h"

namespace latchkey::http {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

std::string ReadAll(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "latchkey-tls-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Writes a self-signed pair NAME.pem and NAME.key.
CertificateFiles MakePair(const TemporaryFolder& folder, const std::string& name,
                          const std::string& subject_names, bool rsa = false,
                          hours lifetime = hours(24), std::string_view passphrase = {}) {
  const PkeyPtr key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
  X509_set_pubkey(x, key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  const std::time_t now = ToUnixMillis(SystemClock().Now()) / 1000;
  ASN1_TIME_set(X509_getm_notBefore(x), now - 3600 * 48);
  ASN1_TIME_set(X509_getm_notAfter(x), now + std::chrono::seconds(lifetime).count());
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, x, x, nullptr, nullptr, 0);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, subject_names.c_str());
  X509_add_ext(x, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(x, key.get(), EVP_sha256());

  CertificateFiles files{folder / (name + ".pem"), folder / (name + ".key")};
  const BioPtr chain_file(BIO_new_file(files.chain_file.c_str(), "wb"));
  PEM_write_bio_X509(chain_file.get(), x);
  const BioPtr key_file(BIO_new_file(files.key_file.c_str(), "wb"));
  PEM_write_bio_PKCS8PrivateKey(
      key_file.get(), key.get(), passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
      const_cast<char*>(passphrase.data()), static_cast<int>(passphrase.size()), nullptr, nullptr);
  return files;
}

// A raw TLS client that says which certificate it was shown.
class TlsClient {
 public:
  struct Options {
    const char* server_name = nullptr;
    int max_version = TLS1_3_VERSION;
    const char* signatures = nullptr;
    std::string alpn;
    SSL_SESSION* session = nullptr;
  };
  TlsClient(std::uint16_t port, const Options& options)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    ssl_ = SSL_new(context_.get());
    if (options.server_name != nullptr) SSL_set_tlsext_host_name(ssl_, options.server_name);
    if (options.signatures != nullptr) SSL_set1_sigalgs_list(ssl_, options.signatures);
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    if (options.session != nullptr) SSL_set_session(ssl_, options.session);
    SSL_set_fd(ssl_, socket_.fd());
    connected_ = SSL_connect(ssl_) == 1;
    ERR_clear_error();
  }
  ~TlsClient() { SSL_free(ssl_); }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  SSL* ssl() { return ssl_; }
  // The common name of the certificate, "" without one.
  std::string Shown() {
    const X509Ptr certificate(SSL_get1_peer_certificate(ssl_));
    char name[256] = "";
    if (certificate) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                                sizeof name);
    }
    return name;
  }
  std::string Get() {
    constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    if (SSL_write(ssl_, kRequest.data(), static_cast<int>(kRequest.size())) <= 0) return "";
    char answer[4096];
    const int count = SSL_read(ssl_, answer, sizeof answer);
    return count <= 0 ? "" : std::string(answer, static_cast<std::size_t>(count));
  }

 private:
  test::SocketClient socket_;
  SslCtxPtr context_;
  SSL* ssl_;
  bool connected_;
};

class EchoHandler final : public Handler {
 public:
  void OnRequest(Exchange& exchange) override {
    exchange.ReadBody(64 << 20, [](Exchange& later, std::string_view body) {
      Response response;
      response.shared_body = std::make_shared<const std::string>(body);
      later.Answer(std::move(response));
    });
  }
  void OnProtocolError(ProtocolError, std::string_view detail, const IpAddress&,
                       Response& answer) override {
    answer.body = detail;
  }
};

class TlsTest : public testing::Test {
 protected:
  std::uint16_t Start(std::vector<CertificateFiles> files, Limits limits = {}) {
    auto context = TlsContext::Create(std::move(files));
    EXPECT_TRUE(context.ok()) << context.error().public_text;
    context_ = std::move(*context);
    server_.emplace(1);
    ListenerOptions options;
    options.name = "tls";
    options.address = *IpAddress::Parse("127.0.0.1");
    options.tls = context_.get();
    options.limits = limits;
    options.make_handler = [](int) { return std::make_unique<EchoHandler>(); };
    const auto port = server_->Listen(std::move(options));
    EXPECT_TRUE(port.ok());
    server_->Start();
    return *port;
  }
  ServerCounts Counts() const { return server_->Counts("tls"); }
  static std::string Shown(std::uint16_t port, const char* name) {
    TlsClient::Options options;
    options.server_name = name;
    return TlsClient(port, options).Shown();
  }

  TemporaryFolder folder_;
  std::unique_ptr<TlsContext> context_;
  std::optional<Server> server_;
};

TEST_F(TlsTest, ChoosesTheCertificateByName) {
  const std::uint16_t port = Start({MakePair(folder_, "first", "DNS:first.example"),
                                    MakePair(folder_, "exact", "DNS:a.example.com,DNS:Other.test"),
                                    MakePair(folder_, "wild", "DNS:*.example.com")});
  EXPECT_EQ(Shown(port, nullptr), "first");
  EXPECT_EQ(Shown(port, "first.example"), "first");
  EXPECT_EQ(Shown(port, "a.example.com"), "exact");
  EXPECT_EQ(Shown(port, "A.Example.COM"), "exact");
  EXPECT_EQ(Shown(port, "other.test"), "exact");
  EXPECT_EQ(Shown(port, "b.example.com"), "wild");
  EXPECT_EQ(Shown(port, "c.b.example.com"), "first");
  EXPECT_EQ(Shown(port, "example.com"), "first");
  EXPECT_EQ(Shown(port, "unknown.test"), "first");
  const auto certificates = context_->Certificates();
  ASSERT_EQ(certificates.size(), 3u);
  EXPECT_TRUE(certificates[0].is_default);
  EXPECT_FALSE(certificates[1].is_default);
  EXPECT_EQ(certificates[1].names, (std::vector<std::string>{"a.example.com", "other.test"}));
  EXPECT_EQ(certificates[0].key_type, "EC");
  EXPECT_GT(certificates[0].not_after, certificates[0].not_before);
}

TEST_F(TlsTest, OffersRsaAndEcdsaSideBySide) {
  const std::uint16_t port =
      Start({MakePair(folder_, "rsa", "DNS:a.test", true), MakePair(folder_, "ec", "DNS:a.test")});
  for (const char* name : {static_cast<const char*>(nullptr), "a.test"}) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TlsClient::Options options;
      options.server_name = name;
      options.max_version = version;
      options.signatures = "RSA-PSS+SHA256";
      EXPECT_EQ(TlsClient(port, options).Shown(), "rsa");
      options.signatures = "ECDSA+SHA256";
      EXPECT_EQ(TlsClient(port, options).Shown(), "ec");
    }
  }
}

TEST_F(TlsTest, SpeaksTls12And13AndHttp11Alone) {
  const std::uint16_t port = Start({MakePair(folder_, "a", "DNS:a.test")});
  TlsClient::Options options;
  options.alpn = std::string("\x02h2\x08http/1.1");
  TlsClient both(port, options);
  ASSERT_TRUE(both.connected());
  EXPECT_EQ(SSL_version(both.ssl()), TLS1_3_VERSION);
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(both.ssl(), &chosen, &length);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), length), "http/1.1");
  options.alpn = std::string("\x02h2");
  EXPECT_FALSE(TlsClient(port, options).connected());
  options.alpn.clear();
  options.max_version = TLS1_2_VERSION;
  TlsClient old(port, options);
  EXPECT_TRUE(old.connected());
  EXPECT_TRUE(old.Get().starts_with("HTTP/1.1 200 OK"));
  options.max_version = TLS1_1_VERSION;
  EXPECT_FALSE(TlsClient(port, options).connected());
}

TEST_F(TlsTest, ReloadsWithoutDroppingAConnection) {
  const CertificateFiles files = MakePair(folder_, "old", "DNS:a.test");
  const std::uint16_t port = Start({files});
  TlsClient before(port, {});
  EXPECT_EQ(before.Shown(), "old");
  EXPECT_FALSE(*context_->Reload(false));

  const CertificateFiles fresh = MakePair(folder_, "new", "DNS:a.test");
  std::filesystem::rename(fresh.chain_file, files.chain_file);
  // The key is still the old one's: half a renewal must change nothing.
  const auto half = context_->Reload(false);
  ASSERT_FALSE(half.ok());
  EXPECT_NE(half.error().public_text.find(files.key_file), std::string::npos);
  EXPECT_EQ(Shown(port, "a.test"), "old");
  EXPECT_FALSE(*context_->Reload(false)) << "said once, until a file changes again";

  std::filesystem::rename(fresh.key_file, files.key_file);
  EXPECT_TRUE(*context_->Reload(false));
  EXPECT_EQ(Shown(port, "a.test"), "new");
  EXPECT_TRUE(before.Get().starts_with("HTTP/1.1 200 OK"));
  EXPECT_TRUE(*context_->Reload(true));
}

TEST_F(TlsTest, ResumesSessionsAlsoAcrossAReload) {
  const CertificateFiles files = MakePair(folder_, "a", "DNS:a.test");
  const std::uint16_t port = Start({files});
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient::Options options;
    options.max_version = version;
    TlsClient first(port, options);
    EXPECT_TRUE(first.Get().starts_with("HTTP/1.1 200 OK"));  // tickets of 1.3 come with it
    options.session = SSL_get1_session(first.ssl());
    ASSERT_TRUE(*context_->Reload(true));
    TlsClient second(port, options);
    EXPECT_TRUE(second.Get().starts_with("HTTP/1.1 200 OK"));
    EXPECT_EQ(SSL_session_reused(second.ssl()), 1) << version;
    SSL_SESSION_free(options.session);
  }
  EXPECT_EQ(Counts().tls_handshakes, 4u);
  EXPECT_EQ(Counts().tls_resumed, 2u);
}

TEST_F(TlsTest, SaysWhatIsWrongWithAFile) {
  const CertificateFiles good = MakePair(folder_, "good", "DNS:a.test");
  const CertificateFiles other = MakePair(folder_, "other", "DNS:a.test");
  const CertificateFiles expired = MakePair(folder_, "expired", "DNS:a.test", false, hours(-1));
  const CertificateFiles locked =
      MakePair(folder_, "locked", "DNS:a.test", false, hours(24), "secret");
  std::ofstream(folder_ / "junk.pem") << "junk";
  std::ofstream(folder_ / "half.pem")
      << ReadAll(good.chain_file) << "-----BEGIN CERTIFICATE-----\njunk\n";
  struct Case {
    CertificateFiles files;
    std::string_view file, words;
  };
  const std::string missing = folder_ / "missing.pem";
  const Case cases[] = {
      {{missing, good.key_file}, missing, "cannot be read"},
      {{good.chain_file, missing}, missing, "cannot be read"},
      {{folder_ / "junk.pem", good.key_file}, "junk.pem", "no certificate"},
      {{folder_ / "half.pem", good.key_file}, "half.pem", "not well-formed"},
      {{good.chain_file, folder_ / "junk.pem"}, "junk.pem", "no private key"},
      {{good.chain_file, other.key_file}, other.key_file, "not that of the certificate"},
      {expired, expired.chain_file, "expired at "},
      {locked, locked.key_file, "passphrase"},
  };
  for (const Case& c : cases) {
    const auto context = TlsContext::Create({good, c.files});
    ASSERT_FALSE(context.ok()) << c.words;
    EXPECT_EQ(context.error().code, ErrorCode::kInvalid);
    EXPECT_NE(context.error().public_text.find(c.file), std::string::npos)
        << context.error().public_text;
    EXPECT_NE(context.error().public_text.find(c.words), std::string::npos)
        << context.error().public_text;
  }
  EXPECT_FALSE(TlsContext::Create({}).ok());
}

TEST_F(TlsTest, CutsAHandshakeThatDoesNotEnd) {
  Limits limits;
  limits.head_timeout = milliseconds(50);
  const std::uint16_t port = Start({MakePair(folder_, "a", "DNS:a.test")}, limits);
  test::SocketClient client(port);
  client.Send(std::string_view("\x16\x03\x01\x02\x00\x01\x00", 7));
  EXPECT_TRUE(client.WaitForEnd());
  EXPECT_EQ(Counts().tls_failed, 1u);
  EXPECT_EQ(Counts().closed_head_timeout, 1u);
  test::SocketClient plain(port);
  plain.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  plain.ReadAll();
  EXPECT_EQ(Counts().tls_failed, 2u);
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  const CertificateFiles files = MakePair(folder_, "a", "DNS:localhost,IP:127.0.0.1");
  const std::uint16_t port = Start({files});
  std::string body;
  for (int i = 0; body.size() < (16u << 20); ++i) body += std::to_string(i) + ",";
  ClientOptions options;
  options.base_url = "https://127.0.0.1:" + std::to_string(port);
  options.ca_file = files.chain_file;
  ClientRequest request;
  request.method = "POST";
  request.body = body;
  const auto response = Client(options).Send(request);
  ASSERT_TRUE(response.ok()) << response.error().public_text;
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(response->body == body);
}

// ---- the client ----

class ClientTest : public TlsTest {};

TEST_F(ClientTest, RefusesAnUntrustedCertificateAndAnotherHostsName) {
  const CertificateFiles files = MakePair(folder_, "a", "DNS:other.test");
  const CertificateFiles other = MakePair(folder_, "b", "DNS:localhost");
  const std::uint16_t port = Start({files});
  ClientOptions options;
  for (const std::string& ca : {files.chain_file, other.chain_file}) {
    options.ca_file = ca;
    for (const char* host : {"https://localhost:", "https://127.0.0.1:"}) {
      options.base_url = host + std::to_string(port);
      const auto response = Client(options).Send({});
      ASSERT_FALSE(response.ok());
      EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
      EXPECT_NE(response.error().public_text.find("not trusted"), std::string::npos)
          << response.error().public_text;
    }
  }
}

TEST_F(ClientTest, StreamsAFileUpAndTheAnswerDown) {
  const CertificateFiles files = MakePair(folder_, "a", "DNS:localhost");
  const std::uint16_t port = Start({files});
  const std::string text(3'000'000, 'q');
  std::ofstream(folder_ / "up", std::ios::binary) << text;
  ClientOptions options;
  options.base_url = "https://localhost:" + std::to_string(port) + "/";
  options.ca_file = files.chain_file;
  ClientRequest request;
  request.method = "PUT";
  request.target = "/x?y";
  request.body_file = folder_ / "up";
  request.answer_file = folder_ / "down";
  std::uint64_t last = 0;
  request.on_progress = [&](std::uint64_t sent, std::uint64_t total) {
    EXPECT_GT(sent, last);
    EXPECT_EQ(total, text.size());
    last = sent;
  };
  const auto response = Client(options).Send(request);
  ASSERT_TRUE(response.ok()) << response.error().public_text;
  EXPECT_EQ(last, text.size());
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(response->Header("content-length"), std::to_string(text.size()));
  EXPECT_TRUE(ReadAll(folder_ / "down") == text);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "down.part"));
  EXPECT_EQ(std::filesystem::status(folder_ / "down").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(ClientTest, SaysWhyThereIsNoAnswer) {
  ClientOptions options;
  for (const char* url : {"", "ftp://a", "https://", "http://a/b", "http://a b", "localhost:1"}) {
    options.base_url = url;
    const auto response = Client(options).Send({});
    ASSERT_FALSE(response.ok()) << url;
    EXPECT_EQ(response.error().code, ErrorCode::kInvalid) << url;
  }
  // A port that was free a moment ago, and nobody listens on it.
  const CertificateFiles files = MakePair(folder_, "a", "DNS:localhost");
  const std::uint16_t port = Start({files});
  server_.reset();
  options.base_url = "http://127.0.0.1:" + std::to_string(port);
  const auto response = Client(options).Send({});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  ClientRequest request;
  request.body_file = folder_ / "missing";
  EXPECT_EQ(Client(options).Send(request).error().code, ErrorCode::kInvalid);
}

// ---- the development certificate ----

TEST(DevelopmentCertificateTest, IsMadeOnceAndServesTheThreeNames) {
  TemporaryFolder folder;
  const Timestamp now = SystemClock().Now();
  const auto made = EnsureDevelopmentCertificate(folder.path(), now);
  ASSERT_TRUE(made.ok()) << made.error().public_text;
  EXPECT_TRUE(made->made);
  for (const std::string& file : {made->ca_file, made->files.chain_file, made->files.key_file}) {
    EXPECT_EQ(std::filesystem::status(file).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  const std::string before = ReadAll(made->files.chain_file);
  EXPECT_FALSE(EnsureDevelopmentCertificate(folder.path(), now)->made);
  EXPECT_FALSE(EnsureDevelopmentCertificate(folder.path(), now + hours(24 * 790))->made);
  EXPECT_EQ(ReadAll(made->files.chain_file), before);

  auto context = TlsContext::Create({made->files});
  ASSERT_TRUE(context.ok());
  const CertificateInfo info = (*context)->Certificates().front();
  EXPECT_EQ(info.names, (std::vector<std::string>{"localhost", "127.0.0.1", "::1"}));
  EXPECT_EQ(info.key_type, "EC");
  Server server(1);
  ListenerOptions options;
  options.tls = context->get();
  options.make_handler = [](int) { return std::make_unique<EchoHandler>(); };
  const auto port = server.Listen(std::move(options));
  ASSERT_TRUE(port.ok()) << port.error().public_text;
  server.Start();
  for (const char* host : {"localhost", "127.0.0.1", "[::1]"}) {
    ClientOptions client;
    client.base_url = "https://" + std::string(host) + ":" + std::to_string(*port);
    client.ca_file = made->ca_file;
    const auto response = Client(client).Send({});
    EXPECT_TRUE(response.ok()) << response.error().public_text;
  }
}

TEST(DevelopmentCertificateTest, IsMadeAgainWhenItNearsItsEndOrDoesNotFit) {
  TemporaryFolder folder;
  const Timestamp now = SystemClock().Now();
  ASSERT_TRUE(EnsureDevelopmentCertificate(folder.path(), now)->made);
  EXPECT_TRUE(EnsureDevelopmentCertificate(folder.path(), now + hours(24 * 800))->made);
  EXPECT_FALSE(EnsureDevelopmentCertificate(folder.path(), now + hours(24 * 800))->made);
  std::filesystem::remove(folder / "key.pem");
  EXPECT_TRUE(EnsureDevelopmentCertificate(folder.path(), now)->made);
  TemporaryFolder other;
  ASSERT_TRUE(EnsureDevelopmentCertificate(other.path(), now)->made);
  std::filesystem::copy_file(other / "ca.pem", folder / "ca.pem",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(EnsureDevelopmentCertificate(folder.path(), now)->made);
  EXPECT_EQ(EnsureDevelopmentCertificate(folder / "nowhere", now).error().code,
            ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace latchkey::http
