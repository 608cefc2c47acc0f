// Command meshc shows, from the YAML in a Git repository, what is wrong with a service mesh's configuration, what every Envoy in it
// would be told, and what a change does to that. It needs no cluster and no network.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

func main() {
	os.Exit(run())
}

// run is main without the exit, so that tests can be this command without a process of their own.
func run() int {
	if os.Getenv("GOGC") == "" {
		collectSeldom()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// collectSeldom makes garbage collection rarer than Go's default: a run is short and its garbage is small beside what it keeps (documents,
// their nodes). Most runs end before the first collection, which waits for 64 MB of heap; after that the heap grows to five times what is in
// use, which makes loading a large mesh about a third faster. GOGC and GOMEMLIMIT in the environment still win.
func collectSeldom() {
	const first, later = 1600, 400 // percent of the runtime's 4 MB, and of what is in use
	debug.SetGCPercent(first)
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, later)
}
