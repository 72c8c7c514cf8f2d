using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Which faults are an outage of the database, and which make a server unready.</summary>
public sealed class FirstHourFaultTests
{
    private readonly SetTime _time = new(new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
    private readonly DependencyHealth _health;

    public FirstHourFaultTests()
    {
        StorageFaults.Use(new SqliteFaultClassifier());
        StorageFaults.Use(new PostgresFaultClassifier());
        _health = new DependencyHealth(_time, NullLogger<DependencyHealth>.Instance);
    }

    [Fact]
    public void F09_A_full_disk_ends_with_a_write_and_not_with_reads()
    {
        _health.TryHandle(new SqliteException("database or disk is full", 13)).ShouldBeTrue();
        (_health.Database.IsOn, _health.Database.IsRefusing).ShouldBe((true, true));

        _time.Now += TimeSpan.FromSeconds(10);
        _health.Database.ReportSuccess();
        (_health.Database.IsOn, _health.Database.IsRefusing).ShouldBe((true, false), "a read succeeded, and nobody wrote");
        _health.Database.ReportSuccess(isWrite: true);
        _health.Database.IsOn.ShouldBeFalse();
    }

    [Theory]
    [InlineData("53100", true)] // disk full
    [InlineData("57014", false)] // a statement that was too slow
    [InlineData("57P01", false)] // a restart
    public void F09_Only_a_refused_write_makes_a_server_of_PostgreSQL_unready(string state, bool refuses)
    {
        _health.TryHandle(new InvalidOperationException("saving failed", new PostgresException("broken", "ERROR", "ERROR", state)))
            .ShouldBeTrue();
        (_health.Database.IsOn, _health.Database.IsRefusing).ShouldBe((true, refuses));
    }

    [Theory]
    [InlineData("could not resize shared memory segment: No space left on device", "dsm_impl_posix_resize")]
    [InlineData("could not write to file \"base/pgsql_tmp/pgsql_tmp1.0\": No space left on device", "BufFileDumpBuffer")]
    public void F09_A_read_without_room_refuses_no_write(string message, string routine)
    {
        var fault = new PostgresException(message, "ERROR", "ERROR", PostgresErrorCodes.DiskFull, routine: routine);
        _health.TryHandle(fault).ShouldBeTrue();
        (_health.Database.IsOn, _health.Database.IsRefusing).ShouldBe((true, false));
    }

    [Fact]
    public void F09_Faults_of_disks_and_of_clients_are_no_outage_of_the_database()
    {
        var full = new IOException("No space left on device", 28);
        _health.TryHandle(new FileStoreException(full)).ShouldBeFalse("it must be logged");
        StorageFaults.IsTransient(new FileStoreException(new UnauthorizedAccessException())).ShouldBeTrue();
        _health.TryHandle(full).ShouldBeTrue();
        _health.TryHandle(new IOException("the client is gone", new System.Net.Sockets.SocketException(104))).ShouldBeTrue();
        _health.Database.IsOn.ShouldBeFalse();

        _health.TryHandle(new NpgsqlException("the connection broke", full)).ShouldBeTrue();
        _health.Database.IsOn.ShouldBeTrue();
    }
}
