namespace TaskQueue.Adapters.Moab;

/// <summary>The field numbers of <c>com.evrblk.moab.v0</c>, which changed once under the same name.</summary>
internal enum MoabNumbering
{
    /// <summary>The present ones: entries of Enqueue and schedules have no keepalive timeout.</summary>
    Present,

    /// <summary>The first ones, which the preview has too.</summary>
    First,
}
