package meshgen

import "fmt"

// chance is true with the probability p.
func (g *generator) chance(p float64) bool { return g.rand.Float64() < p }

// between draws a number from low to high, both included.
func (g *generator) between(low, high int) int { return low + g.rand.IntN(high-low+1) }

// count draws how many of a thing there are when there are limit at most.
func (g *generator) count(limit int) int {
	if limit <= 1 {
		return limit
	}
	return g.between(max(1, limit/2), limit)
}

// one draws an element of a list that is not empty.
func one[T any](g *generator, of ...T) T { return of[g.rand.IntN(len(of))] }

// some draws from 1 to limit different elements, in the order of the list.
func some[T any](g *generator, limit int, of ...T) []T {
	want := min(g.between(1, limit), len(of))
	var out []T
	for i, e := range of {
		if g.rand.IntN(len(of)-i) < want-len(out) {
			out = append(out, e)
		}
	}
	return out
}

// optional is a field with the probability that it is set, and how its value is drawn.
type optional struct {
	field string
	p     float64
	draw  func() any
}

// set draws the fields of an object.
func (g *generator) set(o object, fields ...optional) object {
	for _, f := range fields {
		if g.chance(f.p) {
			o[f.field] = f.draw()
		}
	}
	return o
}

// unsteady is the probability of what a steady mesh has none of.
func (g *generator) unsteady(p float64) float64 {
	if g.size.Steady {
		return 0
	}
	return p
}

// value is a draw that always gives the same.
func value(v any) func() any { return func() any { return v } }

// anyOf draws one of the values.
func (g *generator) anyOf(values ...any) func() any { return func() any { return one(g, values...) } }

// always is a draw that makes a value true.
var always = value(true)

func (g *generator) duration() any {
	if g.size.Steady {
		return one(g, "30s", "1m30s", "1h")
	}
	return one(g, "1ms", "250ms", "0.5s", "1s", "2.5s", "10s", "30s", "1m30s", "1h")
}

func (g *generator) longDuration() any { return one(g, "1s", "5s", "10s", "30s", "2m", "15m", "1h") }

func (g *generator) header() string {
	return one(g, "x-user", "x-canary", "end-user", "x-version", "cookie", "x-request-class", "x-tenant", "user-agent", "x-debug")
}

func (g *generator) word() string {
	return one(g, "beta", "gold", "jason", "v2", "true", "internal", "eu-west", "mobile", "a/b", "100%", `quo"te`, "ünïcode", "with space")
}

func (g *generator) path() string {
	return one(g, "/", "/api", "/api/", "/api/v1", "/api/v1/cart", "/cart", "/cart/items", "/login", "/static/", "/healthz", "/reviews/0", "/a.b", "/productpage")
}

func (g *generator) status() int { return one(g, 200, 204, 400, 403, 404, 418, 429, 500, 503) }

func (g *generator) percent() object {
	return object{"value": one[any](g, 0.1, 1, 10, 33.33, 50, 99.9, 100)}
}

// stringMatch draws a match of a value.
func (g *generator) stringMatch() any {
	switch g.rand.IntN(3) {
	case 0:
		return object{"exact": g.word()}
	case 1:
		return object{"prefix": one(g, "be", "go", "v", "int")}
	}
	return object{"regex": one(g, ".*", "^(gold|beta)$", "v[0-9]+", ".+@example\\.com", "[^/]*")}
}

// localities are those of workloads and of locality settings.
func (g *generator) locality() string {
	return one(g, "us-east/us-east-1a", "us-east/us-east-1b", "us-west/us-west-2a", "eu-west/eu-west-1a/rack-1")
}

func (g *generator) address(network string) string {
	return fmt.Sprintf("%s.%d.%d", network, g.between(0, 9), g.between(1, 250))
}

// split draws the weights of n destinations.
func (g *generator) split(n int) []int {
	weights := make([]int, n)
	if g.chance(0.2) {
		// Weights need not make 100, and one may be 0.
		for i := range weights {
			weights[i] = g.between(0, 7)
		}
		weights[0]++
		return weights
	}
	left := 100
	for i := range weights {
		weights[i] = g.between(0, left)
		if i == n-1 {
			weights[i] = left
		}
		left -= weights[i]
	}
	return weights
}

// exportTo draws who may see a resource.
func (g *generator) exportTo() any {
	switch g.rand.IntN(4) {
	case 0:
		return []any{"*"}
	case 1:
		return []any{one(g, g.names...)}
	case 2:
		return []any{".", one(g, g.names...)}
	}
	return []any{"."}
}
