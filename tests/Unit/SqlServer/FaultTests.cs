using System.Reflection;
using Microsoft.Data.SqlClient;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Storage;
using TaskQueue.Storage.SqlServer;
using Xunit;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>What is done about an error of SQL Server follows from its number, and of a duplicate from the name of the index.</summary>
public sealed class FaultTests
{
    private const string DuplicateKey = "Violation of PRIMARY KEY constraint 'PK_tasks'. Cannot insert duplicate key in object "
        + "'dbo.tasks'.";
    private const string DuplicateRow = "Cannot insert duplicate key row in object 'dbo.tasks' with unique index '{0}'. The duplicate key "
        + "value is (q, 1).";

    [Theory]
    [InlineData(1205)] // the victim of a deadlock
    [InlineData(1222)] // a lock that was not given in time
    [InlineData(3960)] // a row that changed under a snapshot
    [InlineData(SqlServerFaults.LockNotGranted)]
    public void Who_loses_a_race_tries_again(int number)
    {
        SqlServerFaults.IsRace(Fault(number)).ShouldBeTrue();
        SqlServerFaults.IsTransient(Fault(number)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(-2)] // too slow
    [InlineData(64)] // the connection broke
    [InlineData(10054)]
    [InlineData(40613)] // Azure: the database moves
    public void A_server_that_is_away_is_no_race_but_passes(int number)
    {
        SqlServerFaults.IsRace(Fault(number)).ShouldBeFalse();
        SqlServerFaults.IsTransient(Fault(number)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(208)] // no such table
    [InlineData(547)] // a foreign key
    [InlineData(2627)]
    [InlineData(4060)]
    [InlineData(18456)] // a login that is refused
    public void What_will_not_pass_is_not_tried_again(int number) => SqlServerFaults.IsTransient(Fault(number)).ShouldBeFalse();

    [Fact]
    public void A_duplicate_is_known_by_its_index()
    {
        SqlServerFaults.IsDuplicateOf(Fault(2627, DuplicateKey), "PK_tasks").ShouldBeTrue();
        SqlServerFaults.IsDuplicateOf(Fault(2627, DuplicateKey), TaskDbContext.DedupeIndex).ShouldBeFalse();
        SqlServerFaults.IsDuplicateOf(Duplicate(TaskDbContext.DedupeIndex), TaskDbContext.DedupeIndex).ShouldBeTrue();
        SqlServerFaults.IsDuplicateOf(Fault(50000, DuplicateKey), "PK_tasks").ShouldBeFalse();
        SqlServerFaults.IsDuplicate(Fault(2601)).ShouldBeTrue();
        SqlServerFaults.IsDuplicate(Fault(1205)).ShouldBeFalse();
    }

    /// <summary>As on PostgreSQL: two that promoted the first task of an ordering key, of which one must look again.</summary>
    [Fact]
    public void A_second_holder_of_a_turn_has_lost_a_race()
    {
        SqlServerFaults.IsRace(Duplicate(TaskDbContext.HeadIndex)).ShouldBeTrue();
        SqlServerFaults.IsRace(Duplicate(TaskDbContext.DedupeIndex)).ShouldBeFalse();
    }

    /// <summary>The engine asks the provider, whose driver it does not know.</summary>
    [Fact]
    public void The_engine_asks_the_provider()
    {
        StorageFaults.Use(new SqlServerFaultClassifier());

        StorageFaults.IsTransient(Fault(1205)).ShouldBeTrue();
        StorageFaults.IsRace(Fault(1205)).ShouldBeTrue();
        StorageFaults.IsRace(Fault(2627)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(208, false)]
    [InlineData(229, false)]
    [InlineData(1105, false)]
    [InlineData(1205, false)]
    [InlineData(8152, true)]
    public void What_is_refused_to_everybody_is_no_rows_fault(int number, bool isOfRow)
    {
        StorageFaults.Use(new SqlServerFaultClassifier());

        StorageFaults.IsOfRow(Fault(number)).ShouldBe(isOfRow);
    }

    private static SqlException Duplicate(string index) => Fault(2601, DuplicateRow.Replace("{0}", index, StringComparison.Ordinal));

    /// <summary>The driver makes them for itself only.</summary>
    private static SqlException Fault(int number, string message = "broken")
    {
        const BindingFlags hidden = BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic;
        var error = typeof(SqlError).GetConstructors(hidden).OrderBy(c => c.GetParameters().Length).First();
        var errors = (SqlErrorCollection)Activator.CreateInstance(typeof(SqlErrorCollection), nonPublic: true)!;
        object?[] values = [.. error.GetParameters().Select(p => p.Name switch
        {
            "infoNumber" => number,
            "errorMessage" => message,
            _ => p.ParameterType.IsValueType ? Activator.CreateInstance(p.ParameterType) : p.ParameterType == typeof(string) ? "" : null,
        })];
        typeof(SqlErrorCollection).GetMethod("Add", hidden)!.Invoke(errors, [error.Invoke(values)]);
        var create = typeof(SqlException).GetMethods(hidden).First(m => m.Name == "CreateException" && m.GetParameters().Length == 2);
        return (SqlException)create.Invoke(null, [errors, "16.0"])!;
    }
}
