// Command meshc shows, from the YAML in a Git repository, what is wrong with a service mesh's configuration, what every Envoy in it
// would be told, and what a change does to that. It needs no cluster and no network.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	os.Exit(run())
}

// run is main without the exit, so that tests can be this command without a process of their own.
func run() int {
	// A run is short and its garbage is small beside what it keeps (documents, their nodes): collecting less often makes loading
	// about a third faster. GOGC and GOMEMLIMIT in the environment still win.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
