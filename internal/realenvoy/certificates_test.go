package realenvoy

import (
	"crypto/tls"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/envoytest"
)

// authority signs the certificates of workloads, one an identity, as a mesh's own does: what they are called stands in a URI.
type authority struct {
	*envoytest.Authority
	issued map[string]tls.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	return &authority{envoytest.NewAuthority(t), map[string]tls.Certificate{}}
}

// certificateOf returns the certificate of an identity TRUSTDOMAIN/ns/NS/sa/SA.
func (a *authority) certificateOf(t *testing.T, identity string) tls.Certificate {
	t.Helper()
	if _, ok := a.issued[identity]; !ok {
		a.issued[identity] = a.Issue(t, "spiffe://"+identity)
	}
	return a.issued[identity]
}

// secretsDir makes a directory as `meshc compile --secrets-dir` describes it, with the certificate of a workload.
func (a *authority) secretsDir(t *testing.T, identity string) string {
	t.Helper()
	dir := t.TempDir()
	a.Write(t, filepath.Join(dir, "default"), a.certificateOf(t, identity))
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
	chain, key, roots := a.PEM(t, a.certificateOf(t, identity))
	var secrets []envoytest.Secret
	for _, name := range slices.Compact(names) {
		if name == "ROOTCA" || strings.HasSuffix(name, "-cacert") || strings.HasPrefix(name, "file-root:") {
			secrets = append(secrets, envoytest.Secret{Name: name, Authorities: string(roots)})
		} else {
			secrets = append(secrets, envoytest.Secret{Name: name, Certificate: string(chain), Key: string(key)})
		}
	}
	return secrets
}
