package invocation

import "slices"

// Direction is the direction of the commands that have a source and a target. The zero value is the one to MongoDB.
type Direction uint8

// The directions.
const (
	ToMongo       Direction = iota // from Redis
	ToRedis                        // from MongoDB
	TablesToMongo                  // from DynamoDB
	TablesBack                     // from MongoDB to DynamoDB
)

// words are what is said of a direction.
type words struct {
	reading, writing  bool     // MongoDB is the source, or the target
	migrate, verify   string   // the commands
	source, target    string   // the stores, for people
	reads, holds      string   // what is read there, and what is there: "key", "document"
	flags, runOptions []string // those by which one command goes on with what the other did; those that decide what is done
}

var wordsOf = [...]words{
	ToMongo:       {false, true, Migrate, Verify, "Redis", "MongoDB", "key", "document", PairFlags, []string{"only", "user", "on-conflict", "kv-prefer"}},
	ToRedis:       {true, false, MigrateBack, VerifyBack, "MongoDB", "Redis", "document", "entry", BackFlags, []string{"layout", "as-json", "only", "user", "on-conflict"}},
	TablesToMongo: {false, true, MigrateTables, VerifyTables, "DynamoDB", "MongoDB", "item", "document", append([]string{"consistent"}, TableFlags...), []string{"tables", "table", "on-conflict"}},
	TablesBack:    {true, false, MigrateTablesBack, VerifyTablesBack, "MongoDB", "DynamoDB", "document", "item", TableFlags, []string{"tables", "table", "on-conflict"}},
}

// OfTables reports whether tables of DynamoDB are copied, or compared. Else it is what Lanyard keeps.
func (d Direction) OfTables() bool { return d == TablesToMongo || d == TablesBack }

// App returns the name of whoever reads and writes what is copied, for people.
func (d Direction) App() string {
	if d.OfTables() {
		return "the bot"
	}
	return "Lanyard"
}

// FromMongo reports whether MongoDB is the source.
func (d Direction) FromMongo() bool { return wordsOf[d].reading }

// IntoMongo reports whether MongoDB is the target.
func (d Direction) IntoMongo() bool { return wordsOf[d].writing }

// Migrate returns the command that copies.
func (d Direction) Migrate() string { return wordsOf[d].migrate }

// Verify returns the command that compares.
func (d Direction) Verify() string { return wordsOf[d].verify }

// Source returns the name of what is read, for people.
func (d Direction) Source() string { return wordsOf[d].source }

// Target returns the name of what is written, for people.
func (d Direction) Target() string { return wordsOf[d].target }

// SourceNoun returns what the source holds, one of them: "key".
func (d Direction) SourceNoun() string { return wordsOf[d].reads }

// TargetNoun returns what the target holds, one of them: "document".
func (d Direction) TargetNoun() string { return wordsOf[d].holds }

// Flags returns the flags by which one of the commands goes on with what the other did.
func (d Direction) Flags() []string { return slices.Clone(wordsOf[d].flags) }

// Options returns those of the command's flags that decide what is done, as they are typed.
func (d Direction) Options(typed Invocation) string {
	return typed.As("", wordsOf[d].runOptions...).FlagText()
}
