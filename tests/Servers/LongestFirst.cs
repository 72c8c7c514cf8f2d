using Xunit;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("TaskQueue.Tests.Servers.LongestFirst", "TaskQueue.Tests")]

namespace TaskQueue.Tests.Servers;

/// <summary>Starts the longest collections before all others, so that the run does not end with one of them alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>Classes and collections of half a minute and more. Those that mostly wait are placed between those that compute.</summary>
    private static readonly string[] Longest =
    [
        "processes", "OutageTests", "CommandLineClientTests",
        "QueueModelOnPostgres", "RouteFuzzOnPostgres", "RouteFuzzOnSqlite", "QuarantineSweepTests", "BackupTests",
        "MoabApiTests+OnPostgresAndRabbitMq", "MoabApiTests+OverGrpcOnPostgresAndRabbitMq", "BatchesApiTests+OnPostgresAndRabbitMq",
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(c => Array.FindIndex(Longest, name => IsOf(c, name)) is >= 0 and var rank ? rank : Longest.Length);

    /// <summary>A class without a collection has one named "Test collection for" it.</summary>
    private static bool IsOf(ITestCollection collection, string name) =>
        collection.DisplayName == name || collection.DisplayName.EndsWith($".{name}", StringComparison.Ordinal);
}
