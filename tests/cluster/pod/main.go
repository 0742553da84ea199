// What the test cluster's own pods run: nothing (as the sandbox of every pod), or a small HTTP server.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	if len(os.Args) > 1 {
		if answer := run(os.Args[1], os.Args[2:]); answer >= 0 {
			os.Exit(answer)
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

// run gives an exit code, or -1 for going on until a signal.
func run(what string, arguments []string) int {
	switch what {
	case "serve": // serve ADDRESS [FILE]: who answers, and what the file held when this started
		said, _ := os.Hostname()
		if len(arguments) > 1 {
			text, err := os.ReadFile(arguments[1])
			if err != nil {
				log.Print(err)
				return 1
			}
			said = string(text)
		}
		go serve(arguments[0], said)
		return -1
	case "append": // append FILE TEXT
		file, err := os.OpenFile(arguments[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err == nil {
			_, err = file.WriteString(arguments[1] + "\n")
		}
		if err != nil {
			log.Print(err)
			return 1
		}
		return 0
	case "get": // get URL
		answer, err := (&http.Client{Timeout: 2 * time.Second}).Get(arguments[0])
		if err != nil {
			log.Print(err)
			return 1
		}
		defer answer.Body.Close()
		_, _ = io.Copy(os.Stdout, answer.Body)
		return 0
	case "say": // say TEXT...
		fmt.Println(strings.Join(arguments, " "))
		return 0
	}
	log.Printf("no such mode: %q", what)
	return 2
}

func serve(address, said string) {
	http.HandleFunc("/", func(out http.ResponseWriter, request *http.Request) {
		log.Printf("%s %s", request.Method, request.URL.Path)
		fmt.Fprintln(out, said)
	})
	http.HandleFunc("/burn", func(out http.ResponseWriter, _ *http.Request) {
		until := time.Now().Add(100 * time.Millisecond)
		for time.Now().Before(until) {
		}
		fmt.Fprintln(out, "warm")
	})
	log.Print("listening on ", address)
	log.Fatal(http.ListenAndServe(address, nil))
}
