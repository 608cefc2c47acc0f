package compile

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
)

// shared holds what proxies of one mesh have in common: messages that were made once, of facts that their keys name, and that nobody changes
// any more. A key has all that the message depends on beside the mesh and the options. What makes a message is given a stand-in for the
// proxy with the facts of the key alone, so that a message cannot come to depend on anything else of the proxy that asked for it first.
// It is safe for concurrent use.
type shared struct {
	sources provenance.Shared
	parts   sync.Map // proto.Message → *Part
	made    sync.Map // key → *onceMade
	// size counts what was made, so that a mesh in which all proxies differ cannot fill the memory.
	size atomic.Int64
}

// mostShared bounds how many things are kept for further proxies; what comes after is made for each.
const mostShared = 1 << 17

type onceMade struct {
	once  sync.Once
	value any
}

// keeper takes over what was recorded while something was made, and the messages at which later stages may keep what they make of them.
type keeper func(sources *provenance.Map, parts ...proto.Message)

// shareOnce returns what make has made for the key, for this proxy or another one.
func shareOnce[K comparable, V any](b *builder, key K, make func(keeper) V) V {
	s := b.shared
	load, ok := s.made.Load(key)
	if !ok {
		if s.size.Load() >= mostShared {
			return make(func(sources *provenance.Map, _ ...proto.Message) { b.sources.Absorb(sources) })
		}
		s.size.Add(1)
		load, _ = s.made.LoadOrStore(key, &onceMade{})
	}
	m := load.(*onceMade)
	m.once.Do(func() { m.value = make(s.keep) })
	return m.value.(V)
}

func (s *shared) keep(sources *provenance.Map, parts ...proto.Message) {
	s.sources.Absorb(sources)
	for _, p := range parts {
		s.parts.Store(p, &Part{})
	}
}

// Part is where a later stage keeps what it has worked out for a message that several configurations hold, such as its text. It lives as
// long as the compiler or one of the configurations, and is safe for concurrent use.
type Part struct {
	asked atomic.Int32
	memo  sync.Map
}

// Recurs tells from the second call on that it was called before: what only one configuration asks for need not be kept.
func (p *Part) Recurs() bool { return p.asked.Load() > 0 || p.asked.Add(1) > 1 }

// Memo returns what was kept under the key, or else keeps what make returns. A key's type says whose it is.
func (p *Part) Memo(key any, make func() any) any {
	v, ok := p.memo.Load(key)
	if !ok {
		v, _ = p.memo.LoadOrStore(key, make())
	}
	return v
}

// Part returns the part that the message is, nil for a message of this configuration alone. Only whole resources and virtual hosts are
// looked for.
func (c *Configuration) Part(m proto.Message) *Part {
	if c.shared == nil {
		return nil
	}
	p, _ := c.shared.parts.Load(m)
	part, _ := p.(*Part)
	return part
}

// standIn returns a builder for what several proxies share. It knows of the proxy what the stand-in says; sources are its own until they
// are absorbed.
func (b *builder) standIn(p *model.Proxy) *builder {
	return &builder{
		mesh: b.mesh, proxy: p, target: b.target, secretsDir: b.secretsDir, secretNames: map[string]bool{},
		sources: provenance.Over(&b.shared.sources), shared: b.shared,
	}
}

// labelsAmong writes out those of the labels that have one of the names, the same for equal ones.
func labelsAmong(labels map[string]string, names []string) string {
	var some map[string]string
	for _, name := range names {
		if value, ok := labels[name]; ok {
			if some == nil {
				some = map[string]string{}
			}
			some[name] = value
		}
	}
	if some == nil {
		return ""
	}
	text, err := json.Marshal(some)
	if err != nil {
		// Strings and maps of them always have a JSON form.
		panic(err)
	}
	return string(text)
}

// labelsFrom reads what labelsAmong has written.
func labelsFrom(text string) map[string]string {
	var labels map[string]string
	if text != "" {
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			panic(err)
		}
	}
	return labels
}
