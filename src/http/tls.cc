#include "http/tls.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "base/encoding.h"
#include "base/ip_address.h"
#include "base/thread_annotations.h"
#include "env/clock.h"
#include "http/openssl_ptr.h"
#include "http/tls_stream.h"

namespace latchkey::http {

namespace {

// ---- tickets ----

// Sessions are sealed by keys of this process, so that they survive a change of certificates. A key
// seals for half its life and still opens for the other half.
class TicketKeys {
 public:
  // OpenSSL's callback; 1 done, 2 done and the ticket wants renewal, 0 an unknown ticket, -1
  // failed.
  int Use(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
          bool seal) EXCLUDES(mutex_) {
    Key key;
    bool old = false;
    {
      const MutexLock lock(mutex_);
      if (!Rotate()) return -1;
      if (seal || std::memcmp(name, current_.name.data(), current_.name.size()) == 0) {
        key = current_;
      } else if (previous_ &&
                 std::memcmp(name, previous_->name.data(), previous_->name.size()) == 0) {
        key = *previous_;
        old = true;
      } else {
        return 0;
      }
    }
    if (seal) {
      std::copy(key.name.begin(), key.name.end(), name);
      if (RAND_bytes(iv, 16) != 1) return -1;
    }
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.hmac.data(), key.hmac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
        OSSL_PARAM_construct_end()};
    const int initialised =
        seal ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.aes.data(), iv)
             : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.aes.data(), iv);
    if (initialised != 1 || EVP_MAC_CTX_set_params(mac, parameters) != 1) return -1;
    return old ? 2 : 1;
  }

 private:
  static constexpr std::chrono::hours kSealingTime{12};

  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> aes{};
    std::array<unsigned char, 32> hmac{};
  };

  bool Rotate() REQUIRES(mutex_) {
    const std::chrono::nanoseconds now = clock_.Monotonic();
    if (made_ && now - *made_ < kSealingTime) return true;
    Key fresh;
    if (RAND_bytes(fresh.name.data(), fresh.name.size()) != 1 ||
        RAND_bytes(fresh.aes.data(), fresh.aes.size()) != 1 ||
        RAND_bytes(fresh.hmac.data(), fresh.hmac.size()) != 1) {
      return false;
    }
    // After a long silence the last key is beyond its life too.
    previous_.reset();
    if (made_ && now - *made_ < 2 * kSealingTime) previous_ = current_;
    current_ = fresh;
    made_ = now;
    return true;
  }

  SystemClock clock_;
  Mutex mutex_;
  std::optional<std::chrono::nanoseconds> made_ GUARDED_BY(mutex_);
  Key current_ GUARDED_BY(mutex_);
  std::optional<Key> previous_ GUARDED_BY(mutex_);
};

int OnTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
             EVP_MAC_CTX* mac, int seal) {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  return keys->Use(name, iv, cipher, mac, seal == 1);
}

int OnAlpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
           unsigned int in_length, void*) {
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kProtocols, sizeof kProtocols - 1, in,
                            in_length) != OPENSSL_NPN_NEGOTIATED) {
    // RFC 7301 §3.2. To speak HTTP/1.1 to who asked for something else only helps confusion.
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// ---- files ----

struct FileStamp {
  ino_t inode = 0;
  off_t size = -1;
  std::int64_t modified_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp StampOf(const std::string& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size,
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Error FileError(const std::string& file, std::string_view what) {
  return MakeError(ErrorCode::kInvalid, file + ": " + std::string(what));
}

Result<std::string> ReadFile(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) return FileError(file, "cannot be read");
  return std::move(text).str();
}

Timestamp ToTimestamp(const ASN1_TIME* time) {
  std::tm broken{};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return FromUnixMillis(0);
  return FromUnixMillis(std::int64_t{::timegm(&broken)} * 1000);
}

std::vector<std::string> SubjectNames(X509* certificate) {
  std::vector<std::string> names;
  auto* general = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(general); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(general, i);
    if (name->type == GEN_DNS) {
      const ASN1_STRING* text = name->d.dNSName;
      names.push_back(
          ToLower(std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                   static_cast<std::size_t>(ASN1_STRING_length(text)))));
    } else if (name->type == GEN_IPADD) {
      const unsigned char* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
      const int length = ASN1_STRING_length(name->d.iPAddress);
      if (length == 4) {
        names.push_back(IpAddress::FromV4({bytes[0], bytes[1], bytes[2], bytes[3]}).ToString());
      } else if (length == 16) {
        std::array<std::uint8_t, 16> v6;
        std::copy(bytes, bytes + 16, v6.begin());
        names.push_back(IpAddress::FromV6(v6).ToString());
      }
    }
  }
  GENERAL_NAMES_free(general);
  return names;
}

int NoPassphrase(char*, int, int, void*) { return -1; }

struct Pair {
  X509Ptr leaf;
  std::vector<X509Ptr> chain;
  PkeyPtr key;
  CertificateInfo info;
};

Result<Pair> LoadPair(const CertificateFiles& files, Timestamp now) {
  Result<std::string> chain_text = ReadFile(files.chain_file);
  if (!chain_text.ok()) return std::move(chain_text).error();
  Result<std::string> key_text = ReadFile(files.key_file);
  if (!key_text.ok()) return std::move(key_text).error();

  Pair pair;
  const BioPtr chain(BIO_new_mem_buf(chain_text->data(), static_cast<int>(chain_text->size())));
  pair.leaf.reset(PEM_read_bio_X509_AUX(chain.get(), nullptr, NoPassphrase, nullptr));
  if (pair.leaf == nullptr) return FileError(files.chain_file, "holds no certificate in PEM");
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, NoPassphrase, nullptr)) {
    pair.chain.emplace_back(next);
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return FileError(files.chain_file, "a certificate after the first is not well-formed PEM");
  }
  ERR_clear_error();

  const BioPtr key(BIO_new_mem_buf(key_text->data(), static_cast<int>(key_text->size())));
  pair.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, NoPassphrase, nullptr));
  const bool encrypted = key_text->find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(key_text->data(), key_text->size());
  ERR_clear_error();
  if (pair.key == nullptr) {
    return FileError(files.key_file, encrypted ? "the private key is protected by a passphrase; "
                                                 "store it without one"
                                               : "holds no private key in PEM");
  }
  switch (EVP_PKEY_get_base_id(pair.key.get())) {
    case EVP_PKEY_RSA:
      pair.info.key_type = "RSA";
      break;
    case EVP_PKEY_EC:
      pair.info.key_type = "EC";
      break;
    default:
      return FileError(files.key_file, "the private key is neither RSA nor EC");
  }
  const bool match = X509_check_private_key(pair.leaf.get(), pair.key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return FileError(files.key_file,
                     "the private key is not that of the certificate in " + files.chain_file);
  }
  pair.info.chain_file = files.chain_file;
  pair.info.names = SubjectNames(pair.leaf.get());
  pair.info.not_before = ToTimestamp(X509_get0_notBefore(pair.leaf.get()));
  pair.info.not_after = ToTimestamp(X509_get0_notAfter(pair.leaf.get()));
  if (pair.info.not_after <= now) {
    return FileError(files.chain_file,
                     "the certificate expired at " + FormatRfc3339(pair.info.not_after));
  }
  return pair;
}

// ---- what one reading of all files gives ----

struct Loaded {
  std::vector<Pair> pairs;
  std::map<std::pair<int, int>, SslCtxPtr> contexts;  // by index of the RSA and the EC pair, or -1
  std::map<std::string, SSL_CTX*, std::less<>> by_name;      // exact
  std::map<std::string, SSL_CTX*, std::less<>> by_wildcard;  // "*.example.com" as ".example.com"
  SSL_CTX* fallback = nullptr;

  SSL_CTX* Choose(const char* server_name) const {
    if (server_name == nullptr) return fallback;
    std::string name = ToLower(std::string_view(server_name));
    if (name.ends_with('.')) name.pop_back();
    if (const auto found = by_name.find(name); found != by_name.end()) return found->second;
    const std::size_t dot = name.find('.');
    if (dot != name.npos && dot > 0) {
      const auto found = by_wildcard.find(std::string_view(name).substr(dot));
      if (found != by_wildcard.end()) return found->second;
    }
    return fallback;
  }
};

void FreeLoaded(void*, void* pointer, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<std::shared_ptr<const Loaded>*>(pointer);
}

// Each SSL object keeps the certificates it may still choose from.
int LoadedIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeLoaded);
  return index;
}

int OnServerName(SSL* ssl, int*, void*) {
  const auto* loaded =
      static_cast<const std::shared_ptr<const Loaded>*>(SSL_get_ex_data(ssl, LoadedIndex()));
  SSL_CTX* chosen = (*loaded)->Choose(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
  if (chosen != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, chosen);
  return SSL_TLSEXT_ERR_OK;
}

SslCtxPtr MakeContext(const std::vector<Pair>& pairs, std::pair<int, int> indices,
                      TicketKeys& keys) {
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* ctx = context.get();
  if (ctx == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Idle connections are many; each would hold 32 KiB.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  static constexpr unsigned char kSessionContext[] = "latchkey";
  SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_app_data(ctx, &keys);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, OnTicket);
  SSL_CTX_set_alpn_select_cb(ctx, OnAlpn, nullptr);
  SSL_CTX_set_tlsext_servername_callback(ctx, OnServerName);
  // TLS 1.2: forward secrecy and AEAD alone (RFC 9325 §4.2).
  if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) return nullptr;
  for (const int index : {indices.first, indices.second}) {
    if (index < 0) continue;
    const Pair& pair = pairs[static_cast<std::size_t>(index)];
    if (SSL_CTX_use_certificate(ctx, pair.leaf.get()) != 1) return nullptr;
    for (const X509Ptr& link : pair.chain) {
      if (SSL_CTX_add1_chain_cert(ctx, link.get()) != 1) return nullptr;
    }
    if (SSL_CTX_use_PrivateKey(ctx, pair.key.get()) != 1) return nullptr;
  }
  return context;
}

Result<std::shared_ptr<const Loaded>> Load(const std::vector<CertificateFiles>& files,
                                           TicketKeys& keys, Timestamp now) {
  if (files.empty()) return MakeError(ErrorCode::kInvalid, "no certificate is given");
  auto loaded = std::make_shared<Loaded>();
  for (const CertificateFiles& each : files) {
    Result<Pair> pair = LoadPair(each, now);
    if (!pair.ok()) return std::move(pair).error();
    loaded->pairs.push_back(std::move(*pair));
  }
  loaded->pairs.front().info.is_default = true;

  // The first pair of each kind that carries the name.
  std::map<std::string, std::pair<int, int>> by_name;
  for (std::size_t i = 0; i < loaded->pairs.size(); ++i) {
    const CertificateInfo& info = loaded->pairs[i].info;
    for (const std::string& name : info.names) {
      auto& indices = by_name.try_emplace(name, -1, -1).first->second;
      int& index = info.key_type == "RSA" ? indices.first : indices.second;
      if (index < 0) index = static_cast<int>(i);
    }
  }
  bool failed = false;
  auto context_of = [&](std::pair<int, int> indices) {
    SslCtxPtr& context = loaded->contexts[indices];
    if (context == nullptr) context = MakeContext(loaded->pairs, indices, keys);
    failed = failed || context == nullptr;
    return context.get();
  };
  for (const auto& [name, indices] : by_name) {
    SSL_CTX* context = context_of(indices);
    if (name.starts_with("*.")) {
      loaded->by_wildcard[name.substr(1)] = context;
    } else {
      loaded->by_name[name] = context;
    }
  }
  const Pair& first = loaded->pairs.front();
  std::pair<int, int> fallback =
      first.info.names.empty() ? std::pair(-1, -1) : by_name[first.info.names.front()];
  (first.info.key_type == "RSA" ? fallback.first : fallback.second) = 0;
  loaded->fallback = context_of(fallback);
  if (failed) {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return MakeError(ErrorCode::kInvalid,
                     "the certificates cannot be used for TLS: " +
                         std::string(reason == nullptr ? "out of memory" : reason));
  }
  return std::shared_ptr<const Loaded>(std::move(loaded));
}

}  // namespace

class TlsContext::Impl {
 public:
  explicit Impl(std::vector<CertificateFiles> files) : files_(std::move(files)) {}

  Status Replace(std::vector<CertificateFiles> files) EXCLUDES(reload_mutex_, mutex_) {
    const MutexLock reload(reload_mutex_);
    Result<std::shared_ptr<const Loaded>> loaded = Load(files, keys_, clock_.Now());
    if (!loaded.ok()) return std::move(loaded).error();
    files_ = std::move(files);
    stamps_.clear();  // the next look reads them once more, in case one changed meanwhile
    const MutexLock lock(mutex_);
    loaded_ = std::move(*loaded);
    return {};
  }

  Result<bool> Reload(bool force) EXCLUDES(reload_mutex_, mutex_) {
    const MutexLock reload(reload_mutex_);
    // Stamps first: a file that changes while it is read is read again next time.
    std::vector<FileStamp> stamps;
    for (const CertificateFiles& each : files_) {
      stamps.push_back(StampOf(each.chain_file));
      stamps.push_back(StampOf(each.key_file));
    }
    if (!force && stamps == stamps_) return false;
    stamps_ = std::move(stamps);
    Result<std::shared_ptr<const Loaded>> loaded = Load(files_, keys_, clock_.Now());
    if (!loaded.ok()) return std::move(loaded).error();
    const MutexLock lock(mutex_);
    loaded_ = std::move(*loaded);
    return true;
  }

  std::shared_ptr<const Loaded> Current() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return loaded_;
  }

 private:
  SystemClock clock_;
  TicketKeys keys_;
  Mutex reload_mutex_;
  std::vector<CertificateFiles> files_ GUARDED_BY(reload_mutex_);
  std::vector<FileStamp> stamps_ GUARDED_BY(reload_mutex_);
  mutable Mutex mutex_;
  std::shared_ptr<const Loaded> loaded_ GUARDED_BY(mutex_);
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::Create(std::vector<CertificateFiles> files) {
  auto impl = std::make_unique<Impl>(std::move(files));
  if (Result<bool> loaded = impl->Reload(true); !loaded.ok()) return std::move(loaded).error();
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

Status TlsContext::Replace(std::vector<CertificateFiles> files) {
  return impl_->Replace(std::move(files));
}

Result<bool> TlsContext::Reload(bool force) { return impl_->Reload(force); }

std::vector<CertificateInfo> TlsContext::Certificates() const {
  std::vector<CertificateInfo> infos;
  const std::shared_ptr<const Loaded> loaded = impl_->Current();
  for (const Pair& pair : loaded->pairs) infos.push_back(pair.info);
  return infos;
}

ssl_st* TlsContext::NewSession() {
  std::shared_ptr<const Loaded> loaded = impl_->Current();
  SSL* ssl = SSL_new(loaded->fallback);
  if (ssl == nullptr) return nullptr;
  auto kept = std::make_unique<std::shared_ptr<const Loaded>>(std::move(loaded));
  if (SSL_set_ex_data(ssl, LoadedIndex(), kept.get()) != 1) {
    SSL_free(ssl);
    return nullptr;
  }
  (void)kept.release();
  return ssl;
}

std::unique_ptr<TlsStream> MakeTlsStream(TlsContext& context) {
  ssl_st* ssl = context.NewSession();
  return ssl == nullptr ? nullptr : std::make_unique<TlsStream>(ssl);
}

}  // namespace latchkey::http
