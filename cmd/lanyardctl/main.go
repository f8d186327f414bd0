// Command lanyardctl moves what Lanyard keeps in Redis to MongoDB.
package main

import "os"

func main() {
	keepFilesPrivate()
	stdout := os.Stdout
	// The report alone goes to standard output, but libraries print there, too: the reader of RDB files names modules.
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = nowhere
	}
	os.Exit(run(os.Args[1:], stdout, os.Stderr))
}
