package realenvoy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// signer issues tokens with a key that the mesh knows, and, to be refused, with one of the same name that it does not know.
type signer struct{ known, stranger jwk.Key }

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{}
	for _, key := range []*jwk.Key{&s.known, &s.stranger} {
		raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if *key, err = jwk.Import(raw); err != nil {
			t.Fatal(err)
		}
		if err := (*key).Set(jwk.KeyIDKey, "test"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// keys is the key set (JSON) with which the mesh verifies tokens.
func (s *signer) keys(t *testing.T) string {
	t.Helper()
	public, err := s.known.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"keys": []any{public}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// token signs claims.
func (s *signer) token(t *testing.T, claims map[string]any, by jwk.Key) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign(text, jws.WithKey(jwa.ES256(), by))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}
