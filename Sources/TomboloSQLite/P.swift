import GRDB
func p(_ d: DatabasePool) {}
