package simulate

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
)

const (
	authorization = "authorization"
	bearer        = "Bearer "
)

// locatedToken is a token and the header, query parameter or cookie that holds it.
type locatedToken struct {
	in, name, text string
}

// Where tokens are.
const (
	inHeader    = "header"
	inParameter = "query parameter"
	inCookie    = "cookie"
)

func (l locatedToken) String() string { return l.in + " " + l.name }

// tokens finds the tokens in the places where the provider looks, in Envoy's order: headers, query parameters, cookies, each by name. A provider
// that names no place looks at the Authorization header and the parameter access_token.
func (w *walk) tokens(p *jwtv3.JwtProvider) []locatedToken {
	headers, params := slices.Clone(p.GetFromHeaders()), slices.Clone(p.GetFromParams())
	if len(headers)+len(params)+len(p.GetFromCookies()) == 0 {
		headers, params = []*jwtv3.JwtHeader{{Name: authorization, ValuePrefix: bearer}}, []string{"access_token"}
	}
	slices.SortFunc(headers, func(a, b *jwtv3.JwtHeader) int {
		return cmp.Compare(strings.ToLower(a.GetName())+a.GetValuePrefix(), strings.ToLower(b.GetName())+b.GetValuePrefix())
	})
	var found []locatedToken
	for _, h := range headers {
		name := strings.ToLower(h.GetName())
		value, has := w.request.header(name)
		at := strings.Index(value, h.GetValuePrefix())
		if !has || at < 0 && !w.described(name) {
			continue
		}
		if at >= 0 && h.GetValuePrefix() != "" {
			value = tokenWithin(value, at+len(h.GetValuePrefix()))
		}
		found = append(found, locatedToken{inHeader, name, value})
	}
	slices.Sort(params)
	for _, name := range params {
		if value, has := queryParameter(w.request.path, name); has {
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			found = append(found, locatedToken{inParameter, name, value})
		}
	}
	for _, name := range slices.Sorted(slices.Values(p.GetFromCookies())) {
		if value, has := w.request.cookie(name); has {
			found = append(found, locatedToken{inCookie, name, value})
		}
	}
	return found
}

// described tells that the call itself says what the token in the header claims.
func (w *walk) described(header string) bool {
	return header == authorization && len(w.call.Claims) > 0
}

// tokenWithin cuts the first thing that looks like a token out of a header's value, from a position on.
func tokenWithin(value string, from int) string {
	inToken := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	begin := strings.IndexFunc(value[from:], inToken)
	if begin < 0 {
		return value
	}
	rest := value[from+begin:]
	if end := strings.IndexFunc(rest, func(c rune) bool { return !inToken(c) }); end >= 0 {
		return rest[:end]
	}
	return rest
}

// cookie returns the first cookie of the name.
func (r *request) cookie(name string) (string, bool) {
	for pair := range strings.SplitSeq(r.headers["cookie"], ";") {
		key, value, has := strings.Cut(strings.TrimSpace(pair), "=")
		if has && key == name {
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value, true
		}
	}
	return "", false
}

// sanitize removes the headers that only the provider may set.
func (r *request) sanitize(p *jwtv3.JwtProvider) {
	if name := p.GetForwardPayloadHeader(); name != "" {
		delete(r.headers, strings.ToLower(name))
	}
	for _, c := range p.GetClaimToHeaders() {
		delete(r.headers, strings.ToLower(c.GetHeaderName()))
	}
}

// remove takes a token off the request. Envoy leaves cookies as they are.
func (r *request) remove(token locatedToken) {
	switch token.in {
	case inHeader:
		delete(r.headers, token.name)
	case inParameter:
		path, query, _ := strings.Cut(r.path, "?")
		kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
			name, _, _ := strings.Cut(pair, "=")
			return name == token.name
		})
		if r.path = path; len(kept) > 0 {
			r.path += "?" + strings.Join(kept, "&")
		}
	}
}
