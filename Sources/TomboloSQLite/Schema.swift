import GRDB
import TomboloCore

/// The tables and their migrations.
///
/// Events are clustered by arrival. There is no index of their ids, because random keys are slow in SQLite. A query for
/// an event must state its place in its log.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
                    CREATE TABLE replica (
                        reference INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, dialect INTEGER NOT NULL,
                        statement BLOB NOT NULL, discovery BLOB NOT NULL, name TEXT NOT NULL,
                        ownSeed BLOB, ownLog BLOB);
                    CREATE TABLE log (
                        reference INTEGER PRIMARY KEY, replica INTEGER NOT NULL, id BLOB NOT NULL,
                        certificate BLOB, state BLOB NOT NULL);
                    CREATE UNIQUE INDEX logID ON log (replica, id);
                    CREATE TABLE event (
                        ordinal INTEGER PRIMARY KEY, replica INTEGER NOT NULL, log INTEGER NOT NULL,
                        sequence INTEGER NOT NULL, lamport INTEGER NOT NULL, prefix INTEGER NOT NULL,
                        status INTEGER NOT NULL, timestamp INTEGER NOT NULL, id BLOB NOT NULL, header BLOB NOT NULL,
                        salt BLOB, signature BLOB, content BLOB);
                    CREATE INDEX eventPrefix ON event (prefix);
                    CREATE INDEX eventSequence ON event (log, sequence);
                    CREATE INDEX eventOrder ON event (replica, lamport, prefix);
                    CREATE TABLE waiting (
                        replica INTEGER NOT NULL, missing BLOB NOT NULL, waiter INTEGER NOT NULL,
                        PRIMARY KEY (replica, missing, waiter)) WITHOUT ROWID;
                    CREATE TABLE change (number INTEGER PRIMARY KEY, replica INTEGER NOT NULL, event INTEGER NOT NULL);
                    CREATE TABLE head (replica INTEGER NOT NULL, event INTEGER NOT NULL,
                        PRIMARY KEY (replica, event)) WITHOUT ROWID;
                    CREATE TABLE peer (device BLOB PRIMARY KEY, addresses TEXT NOT NULL, incarnation BLOB NOT NULL)
                        WITHOUT ROWID;
                    CREATE TABLE agreement (
                        number INTEGER PRIMARY KEY, peer BLOB NOT NULL, replica INTEGER NOT NULL,
                        token INTEGER NOT NULL, ordinal INTEGER NOT NULL);
                    CREATE INDEX agreementPeer ON agreement (peer, replica);
                    CREATE TABLE acknowledged (
                        peer BLOB NOT NULL, log INTEGER NOT NULL, sequence INTEGER NOT NULL,
                        PRIMARY KEY (peer, log)) WITHOUT ROWID;
                    CREATE TABLE invitation (
                        id BLOB PRIMARY KEY, secret BLOB NOT NULL, replica BLOB NOT NULL, expiry INTEGER NOT NULL,
                        usedBy BLOB) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("2") { db in
            try db.execute(
                sql: """
                    CREATE TABLE message (
                        ordinal INTEGER PRIMARY KEY, replica INTEGER NOT NULL, timestamp INTEGER NOT NULL,
                        prefix INTEGER NOT NULL, status INTEGER NOT NULL, id BLOB NOT NULL, message BLOB NOT NULL);
                    CREATE INDEX messagePrefix ON message (prefix);
                    CREATE INDEX messageOrder ON message (replica, timestamp, prefix);
                    CREATE TABLE messageHead (replica INTEGER PRIMARY KEY, ids BLOB NOT NULL);
                    CREATE TABLE sharing (replica INTEGER NOT NULL, peer BLOB NOT NULL, PRIMARY KEY (replica, peer))
                        WITHOUT ROWID;
                    CREATE TABLE record (
                        peer BLOB NOT NULL, id BLOB NOT NULL, kind INTEGER NOT NULL, isOwn INTEGER NOT NULL,
                        sendCount INTEGER NOT NULL, nextSend INTEGER NOT NULL, PRIMARY KEY (peer, id)) WITHOUT ROWID;
                    CREATE INDEX recordDue ON record (peer, nextSend);
                    CREATE INDEX recordMessage ON record (id);
                    DROP INDEX eventPrefix;
                    ALTER TABLE peer ADD COLUMN dialect INTEGER NOT NULL DEFAULT 0;
                    """)
        }
        // A row of the change log is a run of events that arrived and were delivered consecutively. `number` is that of
        // the first.
        migrator.registerMigration("3") { db in
            try db.execute(sql: "ALTER TABLE change ADD COLUMN count INTEGER NOT NULL DEFAULT 1")
        }
        // Agreements state which logs both sides knew. Earlier agreements do not, so they are deleted.
        migrator.registerMigration("4") { db in
            try db.execute(
                sql: """
                    DELETE FROM agreement;
                    ALTER TABLE agreement ADD COLUMN lastLog INTEGER NOT NULL DEFAULT 0;
                    CREATE TABLE messagePage (
                        replica INTEGER NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL,
                        PRIMARY KEY (replica, number));
                    """)
        }
        // The kind of change of a run in the change log, and the role that an invitation grants.
        migrator.registerMigration("5") { db in
            try db.execute(
                sql: """
                    ALTER TABLE change ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE invitation ADD COLUMN role INTEGER NOT NULL DEFAULT 2;
                    """)
        }
        // The times at which contents expire. The content stays the last column of an event, so that other queries do
        // not read its pages.
        migrator.registerMigration("6") { db in
            try db.execute(
                sql: """
                    CREATE TABLE expiry (
                        replica INTEGER NOT NULL, time INTEGER NOT NULL, event INTEGER NOT NULL,
                        PRIMARY KEY (replica, time, event)) WITHOUT ROWID;
                    """)
        }
        // The secrets that seal contents, as far as they are not punctured.
        migrator.registerMigration("7") { db in
            try db.execute(
                sql: """
                    CREATE TABLE secret (
                        replica INTEGER NOT NULL, rekey BLOB NOT NULL, nodes BLOB NOT NULL,
                        PRIMARY KEY (replica, rekey)) WITHOUT ROWID;
                    """)
        }
        // Files: the held ranges of positions, and the events that refer to each file and are not erased.
        migrator.registerMigration("8") { db in
            try db.execute(
                sql: """
                    CREATE TABLE file (
                        id BLOB PRIMARY KEY, charge INTEGER NOT NULL, want INTEGER NOT NULL, held BLOB NOT NULL)
                        WITHOUT ROWID;
                    CREATE TABLE fileReference (
                        file BLOB NOT NULL, replica INTEGER NOT NULL, event INTEGER NOT NULL,
                        PRIMARY KEY (file, replica, event)) WITHOUT ROWID;
                    """)
        }
        // The number of devices that an invitation admits. `usedBy` holds their keys, concatenated.
        migrator.registerMigration("9") { db in
            try db.execute(sql: "ALTER TABLE invitation ADD COLUMN uses INTEGER NOT NULL DEFAULT 1")
        }
        // The last event of each log that other devices of the member have read. The groups and logs may be unknown
        // here.
        migrator.registerMigration("10") { db in
            try db.execute(
                sql: """
                    CREATE TABLE readMark (
                        replica BLOB NOT NULL, log BLOB NOT NULL, sequence INTEGER NOT NULL,
                        PRIMARY KEY (replica, log)) WITHOUT ROWID;
                    """)
        }
        // A change of kind `forgotten` has the log's number in place of an event's, and a count of one.
        // `lastOrdinal` is the highest ordinal assigned, even if its event is forgotten, so that no ordinal is used
        // twice.
        migrator.registerMigration("11") { db in
            try db.execute(
                sql: """
                    CREATE TABLE lastOrdinal (ordinal INTEGER NOT NULL);
                    INSERT INTO lastOrdinal VALUES (0);
                    """)
        }
        // The member that a peer proved to belong to when it joined.
        migrator.registerMigration("12") { db in try db.execute(sql: "ALTER TABLE peer ADD COLUMN member BLOB") }
        // The members for whose devices an invitation was used, concatenated in the order of `usedBy`.
        migrator.registerMigration("13") { db in
            try db.execute(sql: "ALTER TABLE invitation ADD COLUMN usedFor BLOB")
        }
        // Events of groups with the first rules cannot be validated any more.
        migrator.registerMigration("14") { db in
            let sql = "SELECT EXISTS (SELECT 1 FROM replica WHERE dialect = 0 AND substr(statement, 4, 1) = x'01')"
            if try Bool.fetchOne(db, sql: sql) == true {
                throw StoreError(
                    .older,
                    "an earlier version of Tombolo made this store, in a format that is read no more: "
                        + "keep it for that version, and make a new device in another directory")
            }
        }
        return migrator
    }
}

extension EventID {
    /// The first eight bytes as a signed integer that sorts like the bytes.
    var prefix: Int64 {
        Int64(bitPattern: value.prefix64 ^ (1 << 63))
    }
}
