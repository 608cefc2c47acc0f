package envoytest

import (
	"net"
	"os/exec"
	"time"
)

// Network is where sockets are opened and processes started.
type Network interface {
	// Do runs a function whose own sockets, those that it opens without another goroutine, are of the network.
	Do(f func() error) error
	// Start starts a process in the network.
	Start(cmd *exec.Cmd) error
}

// machine is the network of the test itself.
type machine struct{}

func (machine) Do(f func() error) error   { return f() }
func (machine) Start(cmd *exec.Cmd) error { return cmd.Start() }

func (o Options) network() Network {
	if o.Network == nil {
		return machine{}
	}
	return o.Network
}

// Dial connects from within the network to an IPv4 address.
func Dial(network Network, address string) (net.Conn, error) {
	var conn net.Conn
	err := network.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp4", address, 5*time.Second)
		return err
	})
	return conn, err
}

// DialFrom is Dial from one of the network's own addresses.
func DialFrom(network Network, source, address string) (net.Conn, error) {
	var conn net.Conn
	dialer := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	err := network.Do(func() (err error) {
		conn, err = dialer.Dial("tcp4", address)
		return err
	})
	return conn, err
}

// Listen listens within the network.
func Listen(network Network, address string) (net.Listener, error) {
	var l net.Listener
	err := network.Do(func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	return l, err
}
