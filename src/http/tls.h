// TLS for a listener: certificate chains by SNI, read again without dropping a connection.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

struct ssl_st;  // OpenSSL's SSL

namespace latchkey::http {

// A PEM file with the leaf first, then its intermediates, and the PEM file of its key.
struct CertificateFiles {
  std::string chain_file;
  std::string key_file;
};

// One loaded pair.
struct CertificateInfo {
  std::string chain_file;
  std::vector<std::string> names;  // DNS names and addresses of subjectAltName, lower case
  std::string key_type;            // "RSA" or "EC"
  Timestamp not_before;
  Timestamp not_after;
  bool is_default = false;
};

// Certificates are chosen by SNI: an exact name first, then a wildcard for the whole first label,
// then the default, which is the first pair of the list; also used without SNI. Where an RSA and an
// ECDSA pair have the same name, both stand side by side and the client's algorithms decide.
// TLS 1.2 and 1.3; ALPN http/1.1; resumption by tickets (keys of this process, rotated) and TLS 1.3
// PSK.
class TlsContext {
 public:
  // Every pair must load, match, and be in PEM; kInvalid names the file and what is wrong.
  static Result<std::unique_ptr<TlsContext>> Create(std::vector<CertificateFiles> files);
  ~TlsContext();

  // Reads the files again if one changed since the last read (mtime, size or inode), or always with
  // `force`. All or nothing: on an error the old ones stay in use and the error says which file.
  // True if new ones are in use. From any thread; open connections go on.
  Result<bool> Reload(bool force);

  // Other files from now on; on an error the standing ones stay in use. From any thread.
  Status Replace(std::vector<CertificateFiles> files);

  std::vector<CertificateInfo> Certificates() const;

  // A new server-side SSL object; for the connection layer.
  ssl_st* NewSession();

 private:
  class Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Makes a development CA (name-constrained to localhost, 127.0.0.1 and ::1; its key is thrown away)
// and a leaf for the three names, ECDSA P-256, valid for 825 days; writes ca.pem, cert.pem and
// key.pem (0600) into `folder` unless a valid set stands there with more than 30 days left.
struct DevelopmentCertificate {
  CertificateFiles files;
  std::string ca_file;
  bool made = false;
};
Result<DevelopmentCertificate> EnsureDevelopmentCertificate(const std::string& folder,
                                                            Timestamp now);

}  // namespace latchkey::http
