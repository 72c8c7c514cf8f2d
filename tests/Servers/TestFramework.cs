using System.Globalization;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.SqlServer;
using Xunit;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("TaskQueue.Tests.Servers.TestFramework", "TaskQueue.Tests")]

namespace TaskQueue.Tests.Servers;

/// <summary>Discovers the tests of namespace TaskQueue.Tests.SqlServer only if TASKQUEUE_TEST_SQLSERVER names a server.</summary>
public sealed class TestFramework : XunitTestFramework
{
    public TestFramework(IMessageSink messageSink)
        : base(messageSink)
    {
        StorageProviders.Register(new SqliteProvider(), new PostgresProvider(), new SqlServerProvider());
        CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture; // as the program does
    }

    protected override ITestFrameworkDiscoverer CreateDiscoverer(IAssemblyInfo assemblyInfo) =>
        new Discoverer(assemblyInfo, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Discoverer(IAssemblyInfo assembly, ISourceInformationProvider source, IMessageSink sink)
        : XunitTestFrameworkDiscoverer(assembly, source, sink)
    {
        protected override bool IsValidTestClass(ITypeInfo type) =>
            base.IsValidTestClass(type)
                && (SqlServerDatabases.Server is not null || !type.Name.StartsWith("TaskQueue.Tests.SqlServer.", StringComparison.Ordinal));
    }
}
