using System.Data.Common;
using TaskQueue.Engine;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Classifies SQL Server errors by <see cref="SqlServerFaults"/>.</summary>
internal sealed class SqlServerFaultClassifier : StorageFaultClassifier
{
    public override bool IsTransient(DbException fault) => SqlServerFaults.IsTransient(fault);

    public override bool IsRace(DbException fault) => SqlServerFaults.IsRace(fault);

    public override bool RefusesEveryone(DbException fault) => SqlServerFaults.RefusesEverybody(fault);

    public override bool RefusesWrites(DbException fault) => SqlServerFaults.RefusesWrites(fault);
}
