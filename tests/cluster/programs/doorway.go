package main

import (
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

// doorway joins listeners that it inherits to addresses in its own network namespace: FD=ADDRESS:PORT...
// Whoever starts it listens in one namespace and starts it in another.
func doorway() int {
	var open sync.WaitGroup
	for _, each := range os.Args[1:] {
		number, address, found := strings.Cut(each, "=")
		fd, err := strconv.Atoi(number)
		if !found || err != nil {
			log.Printf("%q is not FD=ADDRESS:PORT", each)
			return 2
		}
		listener, err := net.FileListener(os.NewFile(uintptr(fd), each))
		if err != nil {
			log.Printf("%s: %v", each, err)
			return 1
		}
		open.Add(1)
		go func() {
			defer open.Done()
			for {
				outside, err := listener.Accept()
				if err != nil {
					log.Printf("%s: %v", each, err)
					return
				}
				go join(outside, address)
			}
		}()
	}
	open.Wait()
	return 1
}

func join(outside net.Conn, address string) {
	defer outside.Close()
	inside, err := net.Dial("tcp", address)
	if err != nil {
		log.Print(err)
		return
	}
	defer inside.Close()
	var both sync.WaitGroup
	both.Add(2)
	for _, way := range [][2]net.Conn{{outside, inside}, {inside, outside}} {
		go func() {
			defer both.Done()
			_, _ = io.Copy(way[0], way[1])
			// The other way may go on after one side has said all it had to say.
			_ = way[0].(*net.TCPConn).CloseWrite()
		}()
	}
	both.Wait()
}
