package persistence

// Mode is what Lanyard keeps where, by what is configured.
type Mode string

// The modes.
const (
	Durable   Mode = "durable"    // MongoDB alone
	HighSpeed Mode = "high-speed" // Redis alone
	Both      Mode = "both"       // MongoDB keeps, Redis syncs
	Lite      Mode = "lite"       // neither: in memory, gone at exit
)

// Guarantees say what a mode promises, in the words of Lanyard's own table.
type Guarantees struct {
	Durability, RealTimeSync, KV, Counters string
}

// ModeOf returns the mode of a configuration.
func ModeOf(redis, mongo bool) Mode {
	switch {
	case redis && mongo:
		return Both
	case mongo:
		return Durable
	case redis:
		return HighSpeed
	}
	return Lite
}

// Guarantees returns what the mode promises.
func (m Mode) Guarantees() Guarantees {
	switch m {
	case Both:
		return Guarantees{"high", "native", "persistent", "standard"}
	case Durable:
		return Guarantees{"high", "no", "persistent", "standard"}
	case HighSpeed:
		return Guarantees{"ephemeral", "native", "cache only", "ephemeral"}
	}
	return Guarantees{"none", "local only", "local only", "not saved"}
}
