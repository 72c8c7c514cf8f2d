using TaskQueue.Tests.Servers;
using Xunit;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("TaskQueue.Tests.Servers.TestFramework", "TaskQueue.Tests")]

namespace TaskQueue.Tests.Servers;

/// <summary>Finds the tests of namespace TaskQueue.Tests.SqlServer only where TASKQUEUE_TEST_SQLSERVER names a server for them.</summary>
public sealed class TestFramework(IMessageSink messageSink) : XunitTestFramework(messageSink)
{
    protected override ITestFrameworkDiscoverer CreateDiscoverer(IAssemblyInfo assemblyInfo) => new Discoverer(assemblyInfo, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Discoverer(IAssemblyInfo assembly, ISourceInformationProvider source, IMessageSink sink) : XunitTestFrameworkDiscoverer(assembly, source, sink)
    {
        protected override bool IsValidTestClass(ITypeInfo type) =>
            base.IsValidTestClass(type) && (SqlServerDatabases.Server is not null || !type.Name.StartsWith("TaskQueue.Tests.SqlServer.", StringComparison.Ordinal));
    }
}
