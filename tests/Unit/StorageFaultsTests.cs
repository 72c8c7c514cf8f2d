using System.Transactions;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What the classification of database exceptions sees.</summary>
public sealed class StorageFaultsTests
{
    public StorageFaultsTests() => StorageProviders.Of(DatabaseProvider.Postgres);

    [Fact]
    public void A_refused_commit_of_a_transaction_scope_is_a_race()
    {
        var refused = new PostgresException("could not serialize access", "ERROR", "ERROR", PostgresErrorCodes.SerializationFailure);

        StorageFaults.IsRace(new TransactionAbortedException("The transaction has aborted.", refused)).ShouldBeTrue();
        StorageFaults.IsRace(new TransactionAbortedException("The transaction has aborted.", new TimeoutException())).ShouldBeFalse();
    }
}
