package main

import (
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// registryServer keeps layers in a folder and manifests in memory: it lives as long as its cluster.
func registryServer() int {
	flags := flag.NewFlagSet("registry", flag.ExitOnError)
	listen := flags.String("listen", "", "address and port")
	folder := flags.String("folder", "", "where layers go")
	_ = flags.Parse(os.Args[1:])
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		log.Print(err)
		return 1
	}
	server := &http.Server{
		Addr:              *listen,
		Handler:           registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(*folder))),
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Print(server.ListenAndServe())
	return 1
}
