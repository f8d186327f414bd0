// Command lanyardctl moves what Lanyard keeps in Redis to MongoDB.
package main

import "os"

func main() {
	keepFilesPrivate()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
