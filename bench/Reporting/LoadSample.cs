namespace TaskQueue.Bench.Reporting;

/// <summary>Tasks per second that workers claimed and reported, and how long their claims took meanwhile.</summary>
internal sealed record LoadSample(double Rate, Latency Claim)
{
    public override string ToString() => $"{Rate:#,0}/s, claims {Claim}";
}
