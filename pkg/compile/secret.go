package compile

import (
	"maps"
	"path"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// secrets returns the secrets that the bootstrap itself must hold: those that listeners and clusters refer to, where a directory of secrets
// stands in for the server that Istio's proxies ask. Keys are never among them, only the names of files.
func (b *builder) secrets() []*tlsv3.Secret {
	var secrets []*tlsv3.Secret
	for _, name := range slices.Sorted(maps.Keys(b.secretNames)) {
		secrets = append(secrets, b.fileSecret(name))
	}
	return secrets
}

// fileSecret tells in which files a secret is. A Gateway or DestinationRule that names files of its own keeps these; everything else is in the
// directory of secrets, under the name that it has in Kubernetes.
func (b *builder) fileSecret(name string) *tlsv3.Secret {
	if files, ok := strings.CutPrefix(name, fileCertificate); ok {
		chain, key, _ := strings.Cut(files, "~")
		return certificateSecret(name, chain, key)
	}
	if roots, ok := strings.CutPrefix(name, fileRoots); ok {
		if roots == systemRoots {
			roots = systemRootsFile
		}
		return rootsSecret(name, roots)
	}
	if name == rootSecret {
		return rootsSecret(name, path.Join(b.secretsDir, workloadSecret, "root-cert.pem"))
	}
	credential := name
	if _, rest, ok := strings.Cut(name, "://"); ok {
		credential = rest
	}
	// Whatever a resource calls its credential, the files are in the directory.
	credential = path.Clean("/" + credential)
	if credential, ok := strings.CutSuffix(credential, caSuffix); ok {
		return rootsSecret(name, path.Join(b.secretsDir, credential, "root-cert.pem"))
	}
	return certificateSecret(name, path.Join(b.secretsDir, credential, "cert-chain.pem"), path.Join(b.secretsDir, credential, "key.pem"))
}

func certificateSecret(name, chain, key string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: fileSource(chain),
		PrivateKey:       fileSource(key),
	}}}
}

func rootsSecret(name, roots string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
		TrustedCa: fileSource(roots),
	}}}
}

func fileSource(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}
