// Looks again every two seconds while somebody looks, and keeps what was folded folded.
const look = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["about", "operations", "applications", "requests", "resources"]) {
      const [old, now] = [document.getElementById(id), next.getElementById(id)];
      if (!old || !now || old.innerHTML === now.innerHTML) continue;
      const folds = new Map([...old.querySelectorAll("details")].map((it) => [it.dataset.name, it.open]));
      for (const it of now.querySelectorAll("details")) {
        if (folds.has(it.dataset.name)) it.open = folds.get(it.dataset.name);
      }
      old.replaceChildren(...now.childNodes);
    }
    document.getElementById("live").textContent = "";
  } catch {
    document.getElementById("live").textContent = "Local Azure does not answer any more.";
  }
};
setInterval(look, 2000);
