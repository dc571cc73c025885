#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/openssl_ptr.h"
#include "http/tls.h"

namespace latchkey::http {
namespace {

constexpr std::chrono::hours kLifetime{825 * 24};
constexpr std::chrono::hours kRenewBefore{30 * 24};

struct Pem {
  std::string ca, leaf, key;
};

X509Ptr ReadCertificate(const std::string& file) {
  const BioPtr bio(BIO_new_file(file.c_str(), "rb"));
  return X509Ptr(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

// A set that belongs together and lasts long enough.
bool IsUsable(const DevelopmentCertificate& set, Timestamp now) {
  const X509Ptr ca = ReadCertificate(set.ca_file);
  const X509Ptr leaf = ReadCertificate(set.files.chain_file);
  const BioPtr key_file(BIO_new_file(set.files.key_file.c_str(), "rb"));
  const PkeyPtr key(key_file ? PEM_read_bio_PrivateKey(key_file.get(), nullptr, nullptr, nullptr)
                             : nullptr);
  bool usable = ca && leaf && key && X509_check_private_key(leaf.get(), key.get()) == 1 &&
                X509_verify(leaf.get(), X509_get0_pubkey(ca.get())) == 1;
  if (usable) {
    std::time_t until = ToUnixMillis(now + kRenewBefore) / 1000;
    usable = X509_cmp_time(X509_get0_notAfter(leaf.get()), &until) > 0 &&
             X509_cmp_time(X509_get0_notAfter(ca.get()), &until) > 0;
  }
  ERR_clear_error();
  return usable;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool SetName(X509_NAME* name, const char* common_name) {
  const auto* text = reinterpret_cast<const unsigned char*>(common_name);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1;
}

// An unsigned certificate with name, number, key and times.
X509Ptr Begin(const char* common_name, EVP_PKEY* key, Timestamp now) {
  X509Ptr certificate(X509_new());
  std::array<unsigned char, 16> serial;
  if (!certificate || RAND_bytes(serial.data(), serial.size()) != 1) return nullptr;
  serial[0] = (serial[0] & 0x7f) | 0x40;  // positive and of full length (RFC 5280 §4.1.2.2)
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  const bool numbered =
      number != nullptr &&
      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get())) != nullptr;
  BN_free(number);
  // An hour back: clocks of a machine and its containers differ.
  const std::time_t from = ToUnixMillis(now - std::chrono::hours(1)) / 1000;
  const std::time_t until = ToUnixMillis(now + kLifetime) / 1000;
  if (!numbered || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_pubkey(certificate.get(), key) != 1 ||
      !SetName(X509_get_subject_name(certificate.get()), common_name) ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), from) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), until) == nullptr) {
    return nullptr;
  }
  return certificate;
}

template <typename Write>
std::string ToPem(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  std::string text(data, static_cast<std::size_t>(size));
  OPENSSL_cleanse(data, static_cast<std::size_t>(size));
  return text;
}

bool Make(Timestamp now, Pem& out) {
  // The CA's key lives in this function alone: nobody can ever sign with it again.
  const PkeyPtr ca_key(EVP_EC_gen("P-256"));
  const PkeyPtr key(EVP_EC_gen("P-256"));
  if (!ca_key || !key) return false;

  const X509Ptr ca = Begin("Latchkey development CA", ca_key.get(), now);
  if (!ca || X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) != 1 ||
      !AddExtension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(ca.get(), ca.get(), NID_name_constraints,
                    "critical,permitted;DNS:localhost,"
                    "permitted;IP:127.0.0.1/255.255.255.255,"
                    "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") ||
      !AddExtension(ca.get(), ca.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(ca.get(), ca_key.get(), EVP_sha256()) == 0) {
    return false;
  }
  const X509Ptr leaf = Begin("localhost", key.get(), now);
  if (!leaf || X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca.get())) != 1 ||
      !AddExtension(leaf.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(leaf.get(), ca.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(leaf.get(), ca.get(), NID_ext_key_usage, "serverAuth") ||
      !AddExtension(leaf.get(), ca.get(), NID_subject_alt_name,
                    "DNS:localhost,IP:127.0.0.1,IP:::1") ||
      !AddExtension(leaf.get(), ca.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(leaf.get(), ca.get(), NID_authority_key_identifier, "keyid:always") ||
      X509_sign(leaf.get(), ca_key.get(), EVP_sha256()) == 0) {
    return false;
  }
  out.ca = ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, ca.get()); });
  out.leaf = ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, leaf.get()); });
  out.key = ToPem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return !out.ca.empty() && !out.leaf.empty() && !out.key.empty();
}

// Whole or not at all, readable by the owner alone.
bool WriteFile(const std::string& file, std::string_view text) {
  const std::string temporary = file + ".new";
  ::unlink(temporary.c_str());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool written = true;
  while (written && !text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    written = count > 0;
    if (written) text.remove_prefix(static_cast<std::size_t>(count));
  }
  written = written && ::fsync(fd) == 0;
  ::close(fd);
  return written && ::rename(temporary.c_str(), file.c_str()) == 0;
}

}  // namespace

Result<DevelopmentCertificate> EnsureDevelopmentCertificate(const std::string& folder,
                                                            Timestamp now) {
  DevelopmentCertificate set;
  set.ca_file = folder + "/ca.pem";
  set.files = {folder + "/cert.pem", folder + "/key.pem"};
  if (IsUsable(set, now)) return set;

  Pem pem;
  const bool made = Make(now, pem);
  ERR_clear_error();
  if (!made) return MakeError(ErrorCode::kInternal, "the development certificate cannot be made");
  // If it breaks off between two of them, they don't match, and the next start makes new ones.
  const bool written = WriteFile(set.files.key_file, pem.key) &&
                       WriteFile(set.files.chain_file, pem.leaf) && WriteFile(set.ca_file, pem.ca);
  OPENSSL_cleanse(pem.key.data(), pem.key.size());
  if (!written) {
    return MakeError(ErrorCode::kUnavailable,
                     "the development certificate cannot be written to " + folder);
  }
  set.made = true;
  return set;
}

}  // namespace latchkey::http
