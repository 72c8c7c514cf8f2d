using System.Reflection;
using Microsoft.Data.SqlClient;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Storage;
using TaskQueue.Storage.SqlServer;
using Xunit;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>How an error of SQL Server is handled follows from its number, and for a duplicate from the name of the index.</summary>
public sealed class FaultTests
{
    private const string DuplicateKey = "Violation of PRIMARY KEY constraint 'PK_tasks'. Cannot insert duplicate key in object "
        + "'dbo.tasks'.";
    private const string DuplicateDedupeKey = "Violation of PRIMARY KEY constraint 'PK_dedupe_keys'. Cannot insert duplicate key in object "
        + "'dbo.dedupe_keys'. The duplicate key value is (q, 0x6B00).";
    private const string DuplicateHead = "Cannot insert duplicate key row in object 'dbo.ready' with unique index 'ix_ready_head'. The "
        + "duplicate key value is (q, 0x6B00).";

    [Theory]
    [InlineData(1205)] // the victim of a deadlock
    [InlineData(1222)] // a lock that was not granted in time
    [InlineData(3960)] // a row that changed under a snapshot
    [InlineData(SqlServerFaults.LockNotGranted)]
    public void A_transaction_that_loses_a_race_is_retried(int number)
    {
        SqlServerFaults.IsRace(Fault(number)).ShouldBeTrue();
        SqlServerFaults.IsTransient(Fault(number)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(-2)] // too slow
    [InlineData(64)] // the connection broke
    [InlineData(10054)]
    [InlineData(40613)] // Azure: the database moves
    [InlineData(1101)] // the disk is full
    [InlineData(1105)]
    [InlineData(9002)] // the log is full
    public void A_server_outage_is_transient_but_not_a_race(int number)
    {
        SqlServerFaults.IsRace(Fault(number)).ShouldBeFalse();
        SqlServerFaults.IsTransient(Fault(number)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(1101, true)]
    [InlineData(1105, true)]
    [InlineData(9002, true)]
    [InlineData(-2, false)]
    [InlineData(1205, false)]
    public void F09_A_full_disk_or_log_refuses_writes(int number, bool refuses)
    {
        StorageFaults.Use(new SqlServerFaultClassifier());
        StorageFaults.RefusesWrites(Fault(number)).ShouldBe(refuses);
    }

    [Theory]
    [InlineData(208)] // no such table
    [InlineData(547)] // a foreign key
    [InlineData(2627)]
    [InlineData(4060)]
    [InlineData(18456)] // a refused login
    public void Permanent_errors_are_not_retried(int number) => SqlServerFaults.IsTransient(Fault(number)).ShouldBeFalse();

    [Fact]
    public void A_duplicate_is_recognized_by_its_index()
    {
        SqlServerFaults.IsDuplicateOf(Fault(2627, DuplicateKey), "PK_tasks").ShouldBeTrue();
        SqlServerFaults.IsDuplicateOf(Fault(2627, DuplicateKey), TaskDbContext.DedupeIndex).ShouldBeFalse();
        SqlServerFaults.IsDuplicateOf(Fault(2627, DuplicateDedupeKey), TaskDbContext.DedupeIndex).ShouldBeTrue();
        SqlServerFaults.IsDuplicateOf(Fault(2601, DuplicateHead), TaskDbContext.HeadIndex).ShouldBeTrue();
        SqlServerFaults.IsDuplicateOf(Fault(50000, DuplicateKey), "PK_tasks").ShouldBeFalse();
        SqlServerFaults.IsDuplicate(Fault(2601)).ShouldBeTrue();
        SqlServerFaults.IsDuplicate(Fault(1205)).ShouldBeFalse();
    }

    /// <summary>As on PostgreSQL: two transactions promoted the first task of an ordering key, and one of them must retry.</summary>
    [Fact]
    public void A_second_head_of_an_ordering_key_is_a_lost_race()
    {
        SqlServerFaults.IsRace(Fault(2601, DuplicateHead)).ShouldBeTrue();
        SqlServerFaults.IsRace(Fault(2627, DuplicateDedupeKey)).ShouldBeFalse();
    }

    /// <summary>The engine asks the provider, whose driver it does not know.</summary>
    [Fact]
    public void The_engine_uses_the_configured_provider()
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
    public void Errors_that_affect_every_row_are_not_blamed_on_one_row(int number, bool isOfRow)
    {
        StorageFaults.Use(new SqlServerFaultClassifier());

        StorageFaults.IsOfRow(Fault(number)).ShouldBe(isOfRow);
    }

    /// <summary>Only the driver can create these.</summary>
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
