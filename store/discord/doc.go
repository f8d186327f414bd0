// Package discord delivers when the members of Discord guilds joined, which is the date that Lanyard itself uses: from
// Discord's REST API, or from a file of members that was exported earlier. A gateway connection is never opened.
//
// # The API
//
// A [Client] asks through github.com/bwmarrin/discordgo, whose session makes the requests and keeps to the limits that
// Discord announces in its answers. Around it stands what discordgo lacks. Its waits cannot be cancelled, so they are
// waited out before it is called. It takes the answer to a request too many for JSON and knows no failure of a server
// but one, so answers other than a success never reach it: a [net/http.RoundTripper] turns them into errors, and the
// request is made again where that may help. The same RoundTripper sends requests to another address than Discord's.
// It writes log lines to stderr, so its level is set below the lowest.
//
// A guild's members are listed page by page, each from the highest id so far, until a page brings no further one.
//
// # Secrets
//
// The token stands in a header of requests and nowhere else. Errors consist of this package's own words, of status codes
// and of network errors, from which the token would be removed.
//
// # Memory
//
// One page of the API, or some hundred members and the longest one of a file.
package discord
