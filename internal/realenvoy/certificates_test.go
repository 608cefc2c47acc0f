package realenvoy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
)

// authority signs the certificates of workloads, as a mesh's own does: what they are called stands in a URI.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	issued      map[string]tls.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{issued: map[string]tls.Certificate{}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"test"}}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	var der []byte
	der, a.key = sign(t, template, template, nil)
	var err error
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a key and the certificate of it, signed by itself where there is no other key to do so.
func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// certificateOf returns the certificate of an identity TRUSTDOMAIN/ns/NS/sa/SA.
func (a *authority) certificateOf(t *testing.T, identity string) tls.Certificate {
	t.Helper()
	if c, ok := a.issued[identity]; ok {
		return c
	}
	uri, err := url.Parse("spiffe://" + identity)
	if err != nil {
		t.Fatal(err)
	}
	der, key := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.issued) + 2)), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		URIs: []*url.URL{uri},
	}, a.certificate, a.key)
	c := tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}
	a.issued[identity] = c
	return c
}

// files are a certificate, its key and the authority's certificate as PEM.
func (a *authority) files(t *testing.T, identity string) (chain, key, roots string) {
	t.Helper()
	c := a.certificateOf(t, identity)
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	roots = text("CERTIFICATE", a.certificate.Raw)
	return text("CERTIFICATE", c.Certificate[0]) + roots, text("PRIVATE KEY", der), roots
}

// secretsDir makes a directory as `meshc compile --secrets-dir` describes it, with the certificate of a workload.
func (a *authority) secretsDir(t *testing.T, identity string) string {
	t.Helper()
	dir := t.TempDir()
	workload := filepath.Join(dir, "default")
	if err := os.Mkdir(workload, 0o755); err != nil {
		t.Fatal(err)
	}
	chain, key, roots := a.files(t, identity)
	for name, text := range map[string]string{"cert-chain.pem": chain, "key.pem": key, "root-cert.pem": roots} {
		if err := os.WriteFile(filepath.Join(workload, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// secretsOf are all secrets that a bootstrap asks a server for, each of the identity.
func (a *authority) secretsOf(t *testing.T, bootstrap []byte, identity string) []envoytest.Secret {
	t.Helper()
	var root any
	if err := json.Unmarshal(bootstrap, &root); err != nil {
		t.Fatal(err)
	}
	var names []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if name, ok := v["name"].(string); ok && v["sds_config"] != nil {
				names = append(names, name)
			}
			for _, each := range v {
				walk(each)
			}
		case []any:
			for _, each := range v {
				walk(each)
			}
		}
	}
	walk(root)
	slices.Sort(names)
	chain, key, roots := a.files(t, identity)
	var secrets []envoytest.Secret
	for _, name := range slices.Compact(names) {
		if name == "ROOTCA" || strings.HasSuffix(name, "-cacert") || strings.HasPrefix(name, "file-root:") {
			secrets = append(secrets, envoytest.Secret{Name: name, Authorities: roots})
		} else {
			secrets = append(secrets, envoytest.Secret{Name: name, Certificate: chain, Key: key})
		}
	}
	return secrets
}
