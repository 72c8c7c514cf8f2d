using TaskQueue.Engine.Files;
using TaskQueue.Storage;
using TaskQueue.Tests.Integration;
using Xunit;

namespace TaskQueue.Tests.SqlServer;

public sealed class TaskStoreWithRowVersions(RowVersions fixture) : TaskStoreConformance(fixture), IClassFixture<RowVersions>;

public sealed class TaskStoreWithLocks(Locks fixture) : TaskStoreConformance(fixture), IClassFixture<Locks>;

public sealed class CallbackStoreOnSqlServer(RowVersions fixture) : CallbackStoreTests(fixture), IClassFixture<RowVersions>;

public sealed class GroupCommitWithRowVersions() : GroupCommitTests(DatabaseProvider.SqlServer);

public sealed class GroupCommitWithLocks() : GroupCommitTests(DatabaseProvider.SqlServer, rowVersions: false);

public sealed class QueueRacesWithRowVersions() : QueueRaceTests(DatabaseProvider.SqlServer);

public sealed class QueueRacesWithLocks() : QueueRaceTests(DatabaseProvider.SqlServer, rowVersions: false);

public sealed class QueueModelOnSqlServer() : QueueModelTests(DatabaseProvider.SqlServer);

public sealed class QueueRulesOnSqlServer() : QueueRulesTests(DatabaseProvider.SqlServer);

public sealed class QueueVerbsOnSqlServer() : QueueVerbsTests(DatabaseProvider.SqlServer);

public sealed class AccessOnSqlServer() : AccessTests(DatabaseProvider.SqlServer);

public sealed class SessionKeysOnSqlServer() : SessionKeyTests(DatabaseProvider.SqlServer);

public sealed class ScalingOnSqlServer() : ScalingTests(DatabaseProvider.SqlServer);

public sealed class FilesInSqlServer() : FileStoreConformance(DatabaseProvider.SqlServer, FileStoreKind.Database);
