namespace TaskQueue.Bench.Reporting;

/// <summary>Rate of claimed and reported tasks, and latency of the claims.</summary>
internal sealed record LoadSample(double Rate, Latency Claim)
{
    public override string ToString() => $"{Rate:#,0}/s, claims {Claim}";
}
