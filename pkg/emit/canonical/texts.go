package canonical

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Texts keeps the text of one message for further documents. The zero value is empty; it is safe for concurrent use.
type Texts struct {
	byDepth sync.Map // int → *text
}

// text is a message as it is written at one depth.
type text struct {
	bytes []byte
	marks []mark
}

// mark is a message within, at a pointer from the message that was kept.
type mark struct {
	pointer string
	m       proto.Message
}

// keep writes a message by its text, which it makes where it is not kept yet.
func (w *writer) keep(t *Texts, m protoreflect.Message) {
	load, ok := t.byDepth.Load(w.depth)
	if !ok {
		made := w.record(m)
		if w.err != nil {
			return
		}
		load, _ = t.byDepth.LoadOrStore(w.depth, made)
	}
	kept := load.(*text)
	w.buf = append(w.buf, kept.bytes...)
	if w.Visit == nil {
		return
	}
	mark := len(w.pointer)
	for _, within := range kept.marks {
		w.pointer = append(w.pointer[:mark], within.pointer...)
		w.Visit(w.pointer, within.m)
	}
	w.pointer = w.pointer[:mark]
}

// record returns the text of a message here, and leaves what was written before as it is.
func (w *writer) record(m protoreflect.Message) *text {
	buf, chunks := w.buf, w.chunks
	made := &text{}
	w.buf, w.chunks, w.kept, w.base = nil, nil, made, len(w.pointer)
	w.plain(m)
	made.bytes = slices.Concat(append(w.chunks, w.buf)...)
	w.buf, w.chunks, w.kept = buf, chunks, nil
	return made
}

// visit tells of a message that is about to be written, or notes it in the text that is being kept, whether somebody visits now or not.
func (w *writer) visit(m proto.Message) {
	switch {
	case w.kept == nil:
		if w.Visit != nil {
			w.Visit(w.pointer, m)
		}
	case w.Marked == nil || w.Marked(m):
		w.kept.marks = append(w.kept.marks, mark{string(w.pointer[w.base:]), m})
	}
}
