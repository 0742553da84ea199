// What the test cluster's own pods run: nothing (as the sandbox of every pod), or one of a few small things.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	if len(os.Args) > 1 {
		if err := run(os.Args[1], os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		if os.Args[1] != "serve" {
			return
		}
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-stop:
			return
		case <-children: // A sandbox is the parent of orphans where a pod shares its process ids.
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
					break
				}
			}
		}
	}
}

func run(what string, arguments []string) error {
	switch {
	case what == "serve" && len(arguments) >= 1: // serve ADDRESS [FILE]
		return serve(arguments)
	case what == "get" && len(arguments) == 1: // get URL
		answer, err := (&http.Client{Timeout: 2 * time.Second}).Get(arguments[0])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case what == "burn": // half of a core
		for {
			for until := time.Now().Add(20 * time.Millisecond); time.Now().Before(until); {
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return fmt.Errorf("not known: %q %q", what, arguments)
}

// serve says who answers; or, of a file, how often this was started with it, which it adds to.
func serve(arguments []string) error {
	said, err := os.Hostname()
	if err != nil {
		return err
	}
	if len(arguments) > 1 {
		file, err := os.OpenFile(arguments[1], os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o640)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := file.WriteString("*"); err != nil {
			return err
		}
		size, err := file.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		said = fmt.Sprintf("start %d", size)
	}
	http.HandleFunc("/", func(out http.ResponseWriter, request *http.Request) {
		log.Printf("%s %s", request.Method, request.URL.Path)
		fmt.Fprintln(out, said)
	})
	log.Print("listening on ", arguments[0])
	go func() { log.Fatal(http.ListenAndServe(arguments[0], nil)) }()
	return nil
}
