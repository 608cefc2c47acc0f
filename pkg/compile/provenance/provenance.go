// Package provenance remembers which YAML shaped which Envoy message.
//
// The map is keyed by the identity of a message (its pointer), so recording costs one map write, needs no paths while the configuration
// is being built, and survives reordering. It also owns the packing of messages into google.protobuf.Any: the packed message stays
// reachable, so the writer and the simulator can walk into a filter without decoding it, and find the sources of its parts.
package provenance

import (
	"fmt"
	"maps"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Map belongs to the configuration of one proxy and is not safe for concurrent use. It may lie over a Shared, whose messages several
// configurations have in common: what is recorded of such a message then counts for this configuration alone.
type Map struct {
	sources map[proto.Message][]resource.Source
	inner   map[*anypb.Any]proto.Message
	changes map[proto.Message][]Change
	base    *Shared
}

// Shared remembers for messages that are part of several configurations, and that nobody changes any more. It is safe for concurrent
// use; whoever makes such messages records what shaped them in a Map of its own and then adds that here, before anybody sees them.
type Shared struct {
	sources sync.Map // proto.Message → []resource.Source
	inner   sync.Map // *anypb.Any → proto.Message
}

// Absorb takes over what a map has recorded, and empties it. Changes are never shared: patches belong to one proxy.
func (s *Shared) Absorb(m *Map) {
	for msg, sources := range m.sources {
		s.sources.Store(msg, sources[:len(sources):len(sources)])
	}
	for packed, msg := range m.inner {
		s.inner.Store(packed, msg)
	}
	clear(m.sources)
	clear(m.inner)
}

func (s *Shared) of(msg proto.Message) []resource.Source {
	if s == nil {
		return nil
	}
	sources, _ := s.sources.Load(msg)
	list, _ := sources.([]resource.Source)
	return list
}

func (s *Shared) unpack(packed *anypb.Any) (proto.Message, bool) {
	if s == nil {
		return nil, false
	}
	msg, ok := s.inner.Load(packed)
	if !ok {
		return nil, false
	}
	return msg.(proto.Message), true
}

// Change is what a patch did to a message after it was built.
type Change struct {
	By resource.Source
	// Operation is that of the patch: MERGE, REMOVE…
	Operation string
	// Before and After hold those fields that a merge changed, as they were and as they became; Before alone is what was replaced or removed;
	// neither is set for something new.
	Before, After proto.Message
}

// New returns an empty map.
func New() *Map {
	return &Map{sources: map[proto.Message][]resource.Source{}, inner: map[*anypb.Any]proto.Message{}, changes: map[proto.Message][]Change{}}
}

// Over returns an empty map that lies over what is shared.
func Over(base *Shared) *Map {
	m := New()
	m.base = base
	return m
}

// Absorb takes over what another map has recorded, and empties that.
func (m *Map) Absorb(other *Map) {
	maps.Copy(m.sources, other.sources)
	maps.Copy(m.inner, other.inner)
	maps.Copy(m.changes, other.changes)
	clear(other.sources)
	clear(other.inner)
	clear(other.changes)
}

// Add records that sources shaped msg, after those already recorded. Repetitions are dropped.
func (m *Map) Add(msg proto.Message, sources ...resource.Source) {
	have := m.Of(msg)
	before := len(have)
next:
	for _, s := range sources {
		if s = s.Given(); s.Resource == nil {
			continue
		}
		for _, h := range have {
			if h == s {
				continue next
			}
		}
		have = append(have, s)
	}
	if len(have) > before {
		m.sources[msg] = have
	}
}

// Forget drops what was recorded of a message that is part of nothing.
func (m *Map) Forget(msg proto.Message) { delete(m.sources, msg) }

// Of returns what shaped msg itself, in the order recorded; parents and children have their own.
func (m *Map) Of(msg proto.Message) []resource.Source {
	if sources, ok := m.sources[msg]; ok {
		return sources
	}
	return m.base.of(msg)
}

// Changed records that a patch changed msg, or a part of it that is gone, and with it that the patch shaped msg.
func (m *Map) Changed(msg proto.Message, c Change) {
	m.changes[msg] = append(m.changes[msg], c)
	m.Add(msg, c.By)
}

// Changes returns what patches did to msg, in the order in which they were applied.
func (m *Map) Changes(msg proto.Message) []Change { return m.changes[msg] }

// Carry gives to, an edited copy of from, the sources and changes of from itself; parts that both share keep theirs.
func (m *Map) Carry(from, to proto.Message) {
	m.Add(to, m.Of(from)...)
	if c := m.changes[from]; len(c) > 0 {
		m.changes[to] = append(c[:len(c):len(c)], m.changes[to]...)
	}
}

// Pack wraps msg into an Any, deterministically, and remembers it. The message must not be changed afterwards.
func (m *Map) Pack(msg proto.Message) *anypb.Any {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		// Only invalid UTF-8 can fail here, and the loader has refused that.
		panic(fmt.Sprintf("packing %s: %v", msg.ProtoReflect().Descriptor().FullName(), err))
	}
	packed := &anypb.Any{TypeUrl: "type.googleapis.com/" + string(msg.ProtoReflect().Descriptor().FullName()), Value: value}
	m.inner[packed] = msg
	return packed
}

// Unpack returns the message inside an Any: the one that Pack was given, or else a decoded copy.
func (m *Map) Unpack(packed *anypb.Any) (proto.Message, error) {
	if msg, ok := m.packed(packed); ok {
		return msg, nil
	}
	msg, err := packed.UnmarshalNew()
	if err != nil {
		return nil, err
	}
	m.inner[packed] = msg
	return msg, nil
}

func (m *Map) packed(packed *anypb.Any) (proto.Message, bool) {
	if msg, ok := m.inner[packed]; ok {
		return msg, true
	}
	return m.base.unpack(packed)
}

// Clone returns a deep copy of msg whose parts keep their sources. Whoever changes a message that another proxy or a later
// step can see changes a clone.
func Clone[T proto.Message](m *Map, msg T) T {
	c := proto.Clone(msg).(T)
	m.carry(msg.ProtoReflect(), c.ProtoReflect())
	return c
}

// carry copies sources and packed messages from one tree to its equal copy.
func (m *Map) carry(from, to protoreflect.Message) {
	if s := m.Of(from.Interface()); s != nil {
		m.sources[to.Interface()] = s
	}
	if a, ok := from.Interface().(*anypb.Any); ok {
		if msg, ok := m.packed(a); ok {
			m.inner[to.Interface().(*anypb.Any)] = msg
		}
		return
	}
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() == nil {
				return true
			}
			other := to.Get(fd).Map()
			v.Map().Range(func(k protoreflect.MapKey, mv protoreflect.Value) bool {
				m.carry(mv.Message(), other.Get(k).Message())
				return true
			})
		case fd.Message() == nil:
		case fd.IsList():
			other := to.Get(fd).List()
			for i := range v.List().Len() {
				m.carry(v.List().Get(i).Message(), other.Get(i).Message())
			}
		default:
			m.carry(v.Message(), to.Get(fd).Message())
		}
		return true
	})
}
