package main

import (
	"fmt"
	"sync"
	"time"
)

// progress tells on a terminal how far long work has come; it says nothing in the first second, and nothing at all to a pipe.
type progress struct {
	mu      sync.Mutex
	s       Streams
	verb    string
	done    int
	total   int
	begun   time.Time
	shown   time.Time
	visible bool
}

func newProgress(s Streams, verb string, total int) *progress {
	return &progress{s: s, verb: verb, total: total, begun: time.Now(), visible: isTerminal(s.Err)}
}

func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	now := time.Now()
	if !p.visible || now.Sub(p.begun) < time.Second || now.Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = now
	fmt.Fprintf(p.s.Err, "\r%s %d of %d", p.verb, p.done, p.total)
}

func (p *progress) end() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.s.Err, "\r\x1b[K")
	}
}
