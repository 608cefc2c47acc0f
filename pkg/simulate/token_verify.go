package simulate

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"google.golang.org/protobuf/types/known/structpb"
)

// defaultClockSkew is how far Envoy lets clocks differ.
const defaultClockSkew = time.Minute

// parsedToken is what a JSON web token says.
type parsedToken struct {
	text, algorithm, key string
	claims               *structpb.Struct
	payload              string
	// described tells that the call names the claims, so that there is nothing to verify.
	described bool
}

// parse reads a token; why says what is wrong with its form, "" for nothing.
func (w *walk) parse(token locatedToken) (parsed *parsedToken, why string) {
	if token.in == inHeader && w.described(token.name) {
		claims, err := structpb.NewStruct(w.call.Claims)
		if err != nil {
			return nil, "has claims that no token could hold: " + err.Error()
		}
		text, err := json.Marshal(w.call.Claims)
		if err != nil {
			return nil, "has claims that no token could hold: " + err.Error()
		}
		return &parsedToken{claims: claims, payload: base64.RawURLEncoding.EncodeToString(text), described: true}, claimTypes(claims)
	}
	// Envoy makes nothing of dots that stand together.
	parts := strings.FieldsFunc(token.text, func(c rune) bool { return c == '.' })
	if len(parts) != 3 {
		return nil, "is no JSON web token"
	}
	var header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}
	var claims map[string]any
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return nil, "is no JSON web token: " + err.Error()
		}
	}
	if _, err := base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return nil, "has no signature: " + err.Error()
	}
	fields, err := structpb.NewStruct(claims)
	if err != nil {
		return nil, "has claims that cannot be read: " + err.Error()
	}
	return &parsedToken{text: strings.Join(parts, "."), algorithm: header.Algorithm, key: header.Key, claims: fields, payload: parts[1]}, claimTypes(fields)
}

// claimTypes says which of the registered claims (RFC 7519, section 4.1) is of a type that it cannot be of.
func claimTypes(claims *structpb.Struct) string {
	for _, name := range []string{"iss", "sub", "jti"} {
		if v, has := claims.GetFields()[name]; has {
			if _, ok := v.GetKind().(*structpb.Value_StringValue); !ok {
				return "has a claim " + name + " that is no text"
			}
		}
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		if v, has := claims.GetFields()[name]; has {
			if n, ok := v.GetKind().(*structpb.Value_NumberValue); !ok || n.NumberValue < 0 {
				return "has a claim " + name + " that is no time"
			}
		}
	}
	return ""
}

// outOfTime says that the token is not valid yet or no longer, "" where it is valid or nobody asks.
func (p *parsedToken) outOfTime(now time.Time, provider *jwtv3.JwtProvider) string {
	if now.IsZero() {
		return ""
	}
	skew := defaultClockSkew
	if s := provider.GetClockSkewSeconds(); s != 0 {
		skew = time.Duration(s) * time.Second
	}
	at := func(claim string) time.Time { return time.Unix(int64(p.claims.GetFields()[claim].GetNumberValue()), 0) }
	switch begin, end := at("nbf"), at("exp"); {
	case begin.Unix() != 0 && now.Add(skew).Before(begin):
		return "is not valid yet"
	case end.Unix() != 0 && now.After(end.Add(skew)):
		return "has expired"
	}
	return ""
}

// keySet is what a provider verifies tokens with.
type keySet struct {
	keys []jwk.Key
	// remote keys are fetched by Envoy, so that they are unknown here.
	remote bool
}

// keySet reads the provider's keys, once. As with Envoy, those that are none do not spoil the others.
func (s *Simulator) keySet(p *jwtv3.JwtProvider) *keySet {
	set := s.keySets[p]
	if set == nil {
		set = &keySet{remote: p.GetLocalJwks() == nil}
		var document struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if text := p.GetLocalJwks().GetInlineString(); text != "" && json.Unmarshal([]byte(text), &document) == nil {
			for _, raw := range document.Keys {
				if key, err := jwk.ParseKey(raw); err == nil {
					set.keys = append(set.keys, key)
				}
			}
		}
		s.keySets[p] = set
	}
	return set
}

// unverified says why none of the keys vouches for the token, "" where one does. Where the keys are unknown the token is taken to be its issuer's.
func (s *keySet) unverified(token *parsedToken) string {
	if s.remote {
		return ""
	}
	algorithm, ok := jwa.LookupSignatureAlgorithm(token.algorithm)
	if !ok || algorithm == jwa.NoSignature() {
		return "is signed by an algorithm that Envoy does not know"
	}
	for _, key := range s.keys {
		if id, has := key.KeyID(); has && id != "" && token.key != "" && id != token.key {
			continue
		}
		if own, has := key.Algorithm(); has && own.String() != token.algorithm {
			continue
		}
		if _, err := jws.Verify([]byte(token.text), jws.WithKey(algorithm, key)); err == nil {
			return ""
		}
	}
	return "is signed with none of the provider's keys"
}
